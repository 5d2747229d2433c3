"""The model: Llama as transformers knows it, with an attention that is fast on processors.

torch's own scaled-dot-product attention spends two thirds of its time in an unvectorised
backward on CPU; two batched matrix products and a softmax take a third of that at the lengths
that occur here (a few hundred tokens).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM

from training import files
from training.documents import Special
from training.settings import Architecture

_ATTENTION = "assistant_matmul"
_OWN_ATTENTION: dict[str, Any] = {"attn_implementation": _ATTENTION}


def causal(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Attention of whole rows, each place to itself and what is before it.

    Args:
        query: shape ``(batch, heads, length, size)``.
        key: shape ``(batch, kv_heads, length, size)``; each serves several query heads.
        value: as `key`.
        scaling: of the scores.

    Returns:
        Shape ``(batch, heads, length, size)``.
    """
    batch, heads, length, size = query.shape
    kv_heads = key.shape[1]
    group = heads // kv_heads
    folded = (query * scaling).reshape(batch * kv_heads, group * length, size)
    key = key.reshape(batch * kv_heads, length, size)
    value = value.reshape(batch * kv_heads, length, size)
    scores = torch.bmm(folded, key.transpose(1, 2)).view(-1, group, length, length)
    ahead = scores.new_full((length, length), float("-inf")).triu(1)
    shares = torch.softmax(scores + ahead, dim=-1).view(-1, group * length, length)
    return torch.bmm(shares, value).view(batch, heads, length, size)


def _attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """`causal` as transformers calls it: no cache, padding on the right only.

    Neither `module` nor `attention_mask` is looked at: nothing looks ahead, so nothing sees the
    padding.
    """
    return causal(query, key, value, scaling).transpose(1, 2).contiguous(), None


AttentionInterface.register(_ATTENTION, _attention)


def config(shape: Architecture, vocabulary: int) -> LlamaConfig:
    """The configuration in transformers' words."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.width // shape.heads,
        max_position_embeddings=shape.context,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_base},
        tie_word_embeddings=True,
        bos_token_id=Special.END.id,
        eos_token_id=Special.END_OF_TURN.id,
        pad_token_id=Special.END.id,
        **_OWN_ATTENTION,
    )


def fresh(shape: Architecture, vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A model with random weights that depend on the seed alone."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(config(shape, vocabulary))


def hidden_states(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """What the head is applied to, in bfloat16; shape ``(rows, length, width)``.

    The products run in bfloat16, twice as fast as float32 where the processor has it; weights,
    norms and sums stay in float32.
    """
    with torch.autocast(tokens.device.type, torch.bfloat16):
        state: torch.Tensor = model(input_ids=tokens, use_cache=False).last_hidden_state
    return state


def head(weight: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Logits in float32 from hidden states; shape ``(..., vocabulary)``."""
    with torch.autocast(hidden.device.type, torch.bfloat16):
        logits: torch.Tensor = nn.functional.linear(hidden, weight)
    return logits.float()


def save(folder: Path, tensors: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    """Write `model.safetensors` and `config.json`, the same bytes for the same values."""
    with files.replacing(folder / "model.safetensors") as path:
        save_file({name: tensors[name].contiguous() for name in sorted(tensors)}, path)
    files.write_json(folder / "config.json", config)


def plain_config(config: LlamaConfig) -> dict[str, Any]:
    """What describes the weights, and nothing about who wrote them."""
    kept = (
        "model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings",
        "rms_norm_eps", "rope_parameters", "tie_word_embeddings", "bos_token_id", "eos_token_id",
        "pad_token_id",
    )  # fmt: skip
    described = config.to_dict()
    return {name: described[name] for name in kept} | {"architectures": ["LlamaForCausalLM"]}


def weights(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    """All weights, without the head that is the embedding."""
    state: dict[str, torch.Tensor] = model.state_dict()
    return {name: value for name, value in state.items() if name != "lm_head.weight"}


def load(folder: Path) -> LlamaForCausalLM:
    """The model that `save` wrote."""
    described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = LlamaForCausalLM(LlamaConfig(**described, **_OWN_ATTENTION))
    missing, unexpected = model.load_state_dict(
        load_file(folder / "model.safetensors"), strict=False
    )
    assert list(missing) in ([], ["lm_head.weight"]) and not unexpected, (missing, unexpected)
    model.tie_weights()
    return model
