"""Every kind of model that is exported computes in llama.cpp what it computes in transformers.

The same kinds are compared with llama.cpp's converter in `test_converter`; here it is the numbers
that count, at settings where a wrong key shows: scaled positions, heads of an own size, biases,
layers without positions, multipliers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from assistant.engine.logits import all_logits
from assistant.errors import ExportProblem
from tests.support import checkpoints
from tests.support import tokenizers_made as made
from training import gguf_export
from training.export import families
from training.export.metadata import Labels

TOKENS = 300
ENDS = ("<s>", "</s>")
YARN = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
KINDS: dict[str, tuple[str, made.Steps, bool, dict[str, Any]]] = {
    "llama, biases": (
        "llama", made.LLAMA, True, {"attention_bias": True, "mlp_bias": True},
    ),
    "llama, llama3": ("llama", made.LLAMA, False, {"rope_parameters": LLAMA3}),
    "llama, linear": (
        "llama", made.GPT2, False,
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
    ),
    "smollm2": (
        "llama", made.DIGITS, False,
        {"hidden_size": 72, "num_attention_heads": 6, "num_key_value_heads": 3,
         "tie_word_embeddings": True},
    ),
    "mistral, heads": (
        "mistral", made.TEKKEN, True, {"head_dim": 32, "sliding_window": None},
    ),
    "qwen2": ("qwen2", made.QWEN, False, {}),
    "qwen2, yarn": ("qwen2", made.QWEN, False, {"rope_parameters": YARN}),
    "qwen2, yarn of an own scale": (
        "qwen2", made.QWEN, False, {"rope_parameters": {**YARN, "attention_factor": 1.6}},
    ),
    "llama, yarn of other scales": (
        "llama", made.GPT2, False, {"rope_parameters": {**YARN, "mscale": 2.0,
                                                        "mscale_all_dim": 0.5}},
    ),
    "qwen3": ("qwen3", made.QWEN, False, {"head_dim": 32, "tie_word_embeddings": True}),
    "smollm3": (
        "smollm3", made.LLAMA, True, {"num_hidden_layers": 5, "tie_word_embeddings": True},
    ),
    "granite": (
        "granite", made.DIGITS, False,
        {"attention_multiplier": 0.11, "embedding_multiplier": 3.0, "logits_scaling": 2.0,
         "residual_multiplier": 0.5, "attention_bias": True},
    ),
}  # fmt: skip


def _written(folder: Path, kind: str, steps: made.Steps, whole: bool, **settings: Any) -> Path:
    tokenizer = made.made(steps, ENDS, whole=whole)
    named = {"bos_token": "<s>", "eos_token": "</s>"}
    return checkpoints.write(
        folder / "model", kind, tokenizer, settings=settings, named=named, dtype=torch.float32
    )


def _file(folder: Path) -> Path:
    target = folder.parent / "model.gguf"
    labels = Labels("t", chat=None)
    gguf_export.write(folder, folder / "tokenizer.json", target, "F32", labels)
    return target


@torch.no_grad()
def _error(folder: Path) -> float:
    """Normalised squared error of the file's logits."""
    chance = torch.Generator().manual_seed(3)
    tokens = torch.randint(0, 256, (TOKENS,), generator=chance)
    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    expected = net(input_ids=tokens[None]).logits[0].numpy()
    found = all_logits(_file(folder), tokens.tolist(), threads=1)
    return float(np.sum((found - expected) ** 2) / np.sum(expected**2))


@pytest.mark.parametrize("name", KINDS)
def test_it_computes_the_same(name: str, tmp_path: Path) -> None:
    kind, steps, whole, settings = KINDS[name]
    assert _error(_written(tmp_path, kind, steps, whole, **settings)) < 1e-8


def test_multipliers_that_are_not_said_are_one(tmp_path: Path) -> None:
    """llama.cpp takes another scale of attention where the key is absent."""
    folder = _written(tmp_path, "granite", made.DIGITS, False)
    described = json.loads((folder / "config.json").read_text("utf-8"))
    for name in ("attention_multiplier", "embedding_multiplier", "residual_multiplier"):
        assert described.pop(name) == 1.0
    del described["logits_scaling"]
    (folder / "config.json").write_text(json.dumps(described), "utf-8")
    assert _error(folder) < 1e-8


def test_a_window_bounds_the_context_of_the_file(tmp_path: Path) -> None:
    """Within it attention with a window and without is the same; behind it they differ."""
    folder = _written(tmp_path, "mistral", made.TEKKEN, True, sliding_window=TOKENS)
    assert _error(folder) < 1e-8
    described = json.loads((folder / "config.json").read_text("utf-8"))
    family = families.find(described)
    assert families.context(family, described) == TOKENS
    assert families.context(family, described | {"sliding_window": None}) == 131072
    del described["sliding_window"]
    assert families.context(family, described) == 4096


def test_a_window_that_qwen_only_has_room_for_is_none() -> None:
    family = families.KNOWN["qwen2"]
    described = {"max_position_embeddings": 9000, "sliding_window": 50}
    assert families.context(family, described) == 9000
    assert families.context(family, described | {"use_sliding_window": True}) == 50


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("llama", {"model_type": "gpt_neox"}, "'gpt_neox'; exported are llama, mistral"),
        ("llama", {"rms_norm_eps": None}, "no rms_norm_eps"),
        ("qwen2", {"num_key_value_heads": None}, "no num_key_value_heads"),
        ("qwen3", {"head_dim": None}, "no head_dim"),
        ("llama", {"quantization_config": {"bits": 4}}, "quantised"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act='gelu'"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "'dynamic'"),
        ("llama", {"rope_parameters": {"rope_type": "yarn"}}, "no factor"),
        ("qwen2", {"rope_parameters": {**YARN, "beta_fast": 16}}, "beta_fast=16"),
        ("llama", {"rope_parameters": {**YARN, "truncate": False}}, "truncate"),
        ("qwen2", {"rope_parameters": LLAMA3}, "'llama3'; exported are default, linear, yarn"),
        ("llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor=0.5"),
        ("qwen3", {"attention_bias": True}, "attention_bias=true"),
        ("qwen2", {"hidden_size": 72, "head_dim": 16}, "heads of 64 values"),
        ("smollm3", {"no_rope_layers": [1, 0, 1, 1]}, "no_rope_layers"),
        ("smollm3", {"no_rope_layer_interval": 2, "no_rope_layers": None}, "no_rope_layers"),
    ],
)
def test_what_llama_cpp_can_not_compute_is_refused(
    kind: str, change: dict[str, Any], said: str
) -> None:
    described = {
        "model_type": kind, "vocab_size": 9, "max_position_embeddings": 64, "head_dim": 16,
        **checkpoints.SMALL, "num_hidden_layers": 4,
    }  # fmt: skip
    assert families.find(described).model_type == kind
    with pytest.raises(ExportProblem, match=said):
        families.find(described | change)


def _planned(kind: str = "llama", **settings: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Family, shapes and configuration of a small model."""
    described = {
        "model_type": kind, "vocab_size": 9, "max_position_embeddings": 64,
        **checkpoints.SMALL, **settings,
    }  # fmt: skip
    family = families.find(described)
    shapes = dict.fromkeys((families.EMBEDDING, families.HEAD), (9, 64))
    shapes[families.NORM] = (64,)
    sizes = {"q_proj": (64, 64), "k_proj": (32, 64), "v_proj": (32, 64), "o_proj": (64, 64)}
    for layer in range(2):
        before = f"model.layers.{layer}."
        shapes |= {f"{before}self_attn.{part}.weight": size for part, size in sizes.items()}
        shapes |= {f"{before}mlp.{part}_proj.weight": (96, 64) for part in ("gate", "up")}
        shapes[f"{before}mlp.down_proj.weight"] = (64, 96)
        for part in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{before}{part}.weight"] = (64,)
    return family, shapes, described


def test_tensors_come_in_the_order_of_the_computation() -> None:
    family, shapes, described = _planned()
    old = {"model.layers.0.self_attn.rotary_emb.inv_freq": (8,)}
    names = [one.name for one in families.tensors(family, shapes | old, described)]
    assert names[:3] == ["token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight"]
    assert names[-3:] == ["blk.1.ffn_down.weight", "output_norm.weight", "output.weight"]
    assert len(names) == len(shapes)


def test_queries_and_keys_say_within_how_many_heads_they_are_reordered() -> None:
    family, shapes, described = _planned()
    heads = {one.name: one.heads for one in families.tensors(family, shapes, described)}
    assert (heads["blk.1.attn_q.weight"], heads["blk.1.attn_k.weight"]) == (4, 2)
    assert heads["blk.1.attn_v.weight"] == heads["blk.1.ffn_up.weight"] == 0


def test_a_head_that_is_the_embedding_is_not_written() -> None:
    family, shapes, described = _planned(tie_word_embeddings=True)
    for there in (shapes, {k: v for k, v in shapes.items() if k != families.HEAD}):
        names = [one.name for one in families.tensors(family, there, described)]
        assert "output.weight" not in names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model.layers.1.mlp.up_proj.weight": None}, r"no tensor model\.layers\.1\.mlp\.up_proj"),
        ({"lm_head.weight": None}, r"no tensor lm_head\.weight"),
        ({"lm_head.bias": (9,)}, r"no place for the tensor lm_head\.bias"),
        ({"model.layers.2.input_layernorm.weight": (64,)}, r"no place .*layers\.2"),
        ({"model.layers.0.self_attn.q_proj.bias": (64,)}, r"no place .*q_proj\.bias"),
        ({"model.embed_tokens.weight": (8, 64)}, r"embed_tokens.* \(8, 64\), .*says \(9, 64\)"),
        ({"model.layers.0.self_attn.k_proj.weight": (64, 64)}, r"k_proj.*says \(32, 64\)"),
    ],
)
def test_weights_that_are_not_those_of_the_configuration_are_refused(
    change: dict[str, Any], said: str
) -> None:
    family, shapes, described = _planned()
    changed = {name: size for name, size in (shapes | change).items() if size is not None}
    with pytest.raises(ExportProblem, match=said):
        families.tensors(family, changed, described)
