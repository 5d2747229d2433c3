"""What an adapter of PEFT does to the tensors of a model.

LoRA      W + s * B @ A,  s = alpha / rank
rsLoRA    the same with   s = alpha / sqrt(rank)
DoRA      m * (W + s * B @ A) / |W + s * B @ A|,  the norm of each row, as many as outputs
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from assistant.errors import ExportProblem

_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"
_MAGNITUDES = (".lora_magnitude_vector", ".lora_magnitude_vector.weight")
_UNSUPPORTED = (
    "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern", "lora_bias",
    "layer_replication", "trainable_token_indices", "target_parameters", "use_qalora",
)  # fmt: skip
_PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
"""Ways to begin an adapter that leave the base as it is; PiSSA and its like change it."""


@dataclass(frozen=True)
class Change:
    """What an adapter does to one matrix.

    Attributes:
        first: A, shape ``(rank, inputs)``.
        second: B, shape ``(outputs, rank)``.
        scale: s above.
        magnitude: m, shape ``(outputs,)``; None where the kind has none.
    """

    first: torch.Tensor
    second: torch.Tensor
    scale: float
    magnitude: torch.Tensor | None = None


def changes(adapter: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Change]:
    """What the adapter in the folder `adapter` does, by the tensor of the base.

    Args:
        adapter: as PEFT saves one.
        shapes: of the base's tensors.

    Raises:
        ExportProblem: the adapter is of a kind that is not merged here, does not fit the base,
            or holds values that are no numbers.
    """
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    _refuse_unsupported(adapter, config)
    tensors = load_file(adapter / "adapter_model.safetensors")
    found: dict[str, Change] = {}
    used: set[str] = set()
    for name in sorted(n for n in tensors if n.endswith(_A)):
        stem = name.removesuffix(_A)
        target = stem.removeprefix(_PREFIX) + ".weight"
        if target not in shapes or stem + _B not in tensors:
            raise ExportProblem(f"{adapter} changes {target}, which the base model has not")
        magnitudes = [stem + end for end in _MAGNITUDES if stem + end in tensors]
        magnitude = tensors[magnitudes[0]].flatten() if magnitudes else None
        if bool(config.get("use_dora")) != (magnitude is not None):
            raise ExportProblem(
                f"{adapter}: use_dora={bool(config.get('use_dora'))}, and {target} has "
                f"{'a' if magnitudes else 'no'} magnitude"
            )
        scale = scale_of(config)
        found[target] = Change(tensors[name], tensors[stem + _B], scale, magnitude)
        _check(adapter, target, found[target], shapes[target])
        used |= {name, stem + _B, *magnitudes}
    if left := set(tensors) - used:
        raise ExportProblem(f"{adapter} holds {sorted(left)[0]}, which nothing here uses")
    return found


def scale_of(config: Mapping[str, Any]) -> float:
    """s of an adapter, from its configuration."""
    alpha, rank = float(config["lora_alpha"]), config["r"]
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _refuse_unsupported(adapter: Path, config: Mapping[str, Any]) -> None:
    refused = {name: config[name] for name in _UNSUPPORTED if config.get(name)}
    if config.get("peft_type", "LORA") != "LORA":
        refused["peft_type"] = config["peft_type"]
    if config.get("bias", "none") != "none":
        refused["bias"] = config["bias"]
    if config.get("init_lora_weights") not in _PLAIN_STARTS:
        refused["init_lora_weights"] = config["init_lora_weights"]
    for option, value in refused.items():
        raise ExportProblem(
            f"{adapter} uses {option}={value!r}, which is not merged here",
            hint="merge it with peft's merge_and_unload",
        )


def _check(adapter: Path, target: str, change: Change, shape: tuple[int, ...]) -> None:
    """Refuse a change that does not fit its matrix, or is no number."""
    outputs, inputs = change.second.shape[0], change.first.shape[1]
    parts = [change.first, change.second]
    if change.magnitude is not None:
        parts.append(change.magnitude)
    bad = sum(int((~torch.isfinite(part)).sum()) for part in parts)
    if (outputs, inputs) != shape or change.first.shape[0] != change.second.shape[1] or bad:
        raise ExportProblem(
            f"{adapter} changes {target} by a {(outputs, inputs)} matrix made from {bad} values "
            f"that are no numbers; the base has {shape}"
        )
