"""The model is the Llama that transformers knows; only its attention is computed faster."""

from __future__ import annotations

import torch
from transformers import LlamaForCausalLM

from training import model
from training.settings import Architecture

SHAPE = Architecture(width=64, layers=2, heads=4, kv_heads=2, feed_forward=96, context=128)


def test_logits_and_gradients_are_those_of_transformers_own_attention():
    ours = model.fresh(SHAPE, vocabulary=96, seed=3)
    theirs = LlamaForCausalLM(model.config(SHAPE, 96))
    theirs.load_state_dict(ours.state_dict())
    theirs.set_attn_implementation("eager")
    tokens = torch.randint(0, 96, (3, 40), generator=torch.Generator().manual_seed(0))
    results = []
    for net in (ours, theirs):
        logits = net(input_ids=tokens, use_cache=False).logits
        logits.square().mean().backward()
        results.append((logits, net.model.layers[0].self_attn.k_proj.weight.grad))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(results[0][1], results[1][1], atol=1e-7, rtol=1e-3)


def test_training_in_bfloat16_computes_nearly_the_same():
    net = model.fresh(SHAPE, vocabulary=96, seed=3)
    tokens = torch.randint(0, 96, (2, 30), generator=torch.Generator().manual_seed(1))
    exact = net(input_ids=tokens, use_cache=False).logits
    fast = model.head(net.lm_head.weight, model.hidden_states(net.model, tokens))
    assert fast.dtype == torch.float32
    assert ((exact - fast).norm() / exact.norm()).item() < 0.02


def test_a_saved_model_is_loaded_with_its_embedding_tied(tmp_path):
    net = model.fresh(SHAPE, vocabulary=96, seed=3)
    model.save(tmp_path, model.weights(net), model.plain_config(net.config))
    again = model.load(tmp_path)
    tokens = torch.arange(20)[None]
    assert torch.equal(net(tokens).logits, again(tokens).logits)
    assert again.lm_head.weight is again.model.embed_tokens.weight
