"""Checkpoints of each kind that is exported, with random weights, written by transformers itself.

Names, shapes and config.json are then what the models' own have, whatever ours believes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

SMALL: Mapping[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
    "pad_token_id": None, "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip


def write(
    folder: Path, kind: str, tokenizer: Mapping[str, Any], *, settings: Mapping[str, Any],
    named: Mapping[str, Any] | None = None, rows: int = 0, old: bool = False,
    dtype: torch.dtype = torch.bfloat16,
) -> Path:  # fmt: skip
    """A model as transformers saves it.

    Args:
        folder: is made.
        kind: transformers' name of it.
        tokenizer: the content of its tokenizer.json.
        settings: of config.json, beside `SMALL`.
        named: of tokenizer_config.json, such as `bos_token`.
        rows: of the embedding; 0: as many as tokens.
        old: rotary positions as transformers 4 wrote them, `rope_theta` and `rope_scaling`.
        dtype: of the stored weights.
    """
    numbers = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    last = max(max(tokenizer["model"]["vocab"].values()), *numbers.values())
    config = AutoConfig.for_model(kind, **{**SMALL, "vocab_size": rows or last + 1, **settings})
    torch.manual_seed(0)
    net = AutoModelForCausalLM.from_config(config).to(dtype)
    _disturb(net)
    net.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if old:
        _old_form(folder / "config.json")
    _json(folder / "tokenizer.json", dict(tokenizer))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", **(named or {})}
    _json(folder / "tokenizer_config.json", about)
    return folder


@torch.no_grad()
def _disturb(net: torch.nn.Module) -> None:
    """Weights large enough that the model has opinions, norms and biases that are not neutral."""
    for name, weight in net.named_parameters():
        if name.endswith(("norm.weight", "layernorm.weight")):
            weight.add_(0.1 * torch.randn_like(weight))
        elif name.endswith(".bias"):
            weight.add_(0.5 * torch.randn_like(weight))
        elif "embed" in name:
            weight.copy_(torch.randn_like(weight))
        else:
            weight.copy_(torch.randn_like(weight) * weight.shape[-1] ** -0.5)


def _old_form(path: Path) -> None:
    found = json.loads(path.read_text("utf-8"))
    scaling = found.pop("rope_parameters")
    found["rope_theta"] = scaling.pop("rope_theta")
    found["rope_scaling"] = scaling if scaling.get("rope_type") != "default" else None
    _json(path, found)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
