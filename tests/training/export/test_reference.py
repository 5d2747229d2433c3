"""The model that is in memory by layers computes what the whole one computes."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from assistant.errors import ExportProblem
from training.export import merging, reference
from training.export.reference import Reference

_LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
}  # fmt: skip
FAMILIES = {
    "llama": {"rope_parameters": _LLAMA3},
    "mistral": {"sliding_window": 8, "head_dim": 32},
    "qwen2": {"tie_word_embeddings": True},
    "qwen2, windows": {
        "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1,
    },
    "qwen3": {"head_dim": 32, "tie_word_embeddings": True},
    "smollm3": {"no_rope_layers": [1, 0, 1]},
    "granite": {
        "embedding_multiplier": 12.0, "logits_scaling": 8.0, "residual_multiplier": 0.22,
        "attention_multiplier": 0.015625,
    },
    "llama, yarn": {
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    },
}  # fmt: skip
_SIZES = {
    "vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    chance = torch.Generator().manual_seed(3)
    return [torch.randint(0, 300, (length,), generator=chance).tolist() for length in (40, 7)]


def _made(folder, name):
    """A random model of a family, as transformers saves it."""
    torch.manual_seed(1)
    config = AutoConfig.for_model(name.partition(",")[0], **_SIZES, **FAMILIES[name])
    net = AutoModelForCausalLM.from_config(config)
    for parameter in net.parameters():
        parameter.data += torch.randn_like(parameter) * 0.1
    net.save_pretrained(folder)
    return folder


def _whole(folder, rows):
    """The logits of the model that is in memory as a whole."""
    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return [net(input_ids=torch.tensor([row]), use_cache=False).logits[0] for row in rows]


def test_positions_in_the_old_form(tmp_path, rows):
    folder = _made(tmp_path, "llama")
    config = json.loads((folder / "config.json").read_text())
    scaling = config.pop("rope_parameters")
    config |= {"rope_theta": scaling.pop("rope_theta"), "rope_scaling": scaling}
    expected = _whole(folder, rows[:1])[0]
    (folder / "config.json").write_text(json.dumps(config))
    found = Reference(merging.opened(folder))
    torch.testing.assert_close(
        found.logits(*found.states(rows[:1])), expected, atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_by_layers_as_in_a_whole(name, tmp_path, rows, monkeypatch):
    folder = _made(tmp_path, name)
    # Several blocks of everything.
    monkeypatch.setattr(reference, "_READ_BYTES", 4096)
    monkeypatch.setattr(reference, "LOGITS_ROWS", 16)
    found = Reference(merging.opened(folder))
    for states, expected in zip(found.states(rows), _whole(folder, rows), strict=True):
        logits = torch.cat([block for _, block in found.logits_in_blocks(states)])
        torch.testing.assert_close(logits, expected, atol=1e-6, rtol=1e-5)


def test_one_layer_is_in_memory(tmp_path, rows):
    found = Reference(merging.opened(_made(tmp_path, "llama")))
    held = []
    for layer in found._layers:
        layer.register_forward_pre_hook(lambda *_: held.append(_filled(found)))
    found.states(rows)
    assert held == [1] * 6
    assert _filled(found) == 0


def _filled(found):
    return sum(not next(layer.parameters()).is_meta for layer in found._layers)


def test_an_adapter_is_in_it(tmp_path, rows):
    from peft import LoraConfig, get_peft_model

    folder = _made(tmp_path / "base", "llama")
    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    options = {"r": 4, "lora_alpha": 8, "use_rslora": True, "init_lora_weights": False}
    tuned = get_peft_model(net, LoraConfig(target_modules="all-linear", **options)).eval()
    tuned.save_pretrained(str(tmp_path / "adapter"))
    found = Reference(merging.opened(folder, tmp_path / "adapter"))
    (states,) = found.states(rows[:1])
    with torch.no_grad():
        expected = tuned(input_ids=torch.tensor(rows[:1]), use_cache=False).logits[0]
    torch.testing.assert_close(found.logits(states), expected, atol=1e-4, rtol=1e-4)


def test_what_is_missing_is_named(tmp_path, rows):
    folder = _made(tmp_path, "llama")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ExportProblem, match=r"model\.layers\.1\.mlp\.up_proj\.weight"):
        Reference(merging.opened(folder)).states(rows)


def test_a_model_that_transformers_does_not_know_is_refused(tmp_path):
    folder = _made(tmp_path, "llama")
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "unheard"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportProblem, match="unheard"):
        Reference(merging.opened(folder))
