"""Stage `merge`: the adapter goes into the weights, W + (alpha / rank) * B @ A, in float32.

In float32 because bfloat16 would round most of a small change away.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from assistant.errors import ExportProblem
from training import model
from training.stages import Job

_PREFIX = "base_model.model."
_UNSUPPORTED = ("use_dora", "use_rslora", "fan_in_fan_out", "modules_to_save", "rank_pattern",
                "alpha_pattern", "lora_bias")  # fmt: skip


def make(job: Job) -> None:
    """Write `merged/`."""
    base = load_file(job.path("base/model.safetensors"))
    described = json.loads(job.path("base/config.json").read_text(encoding="utf-8"))
    model.save(job.path("merged"), merged(base, job.path("adapter")), described)


def merged(base: dict[str, torch.Tensor], adapter: Path) -> dict[str, torch.Tensor]:
    """The weights of `base` with the adapter in folder `adapter` added.

    Raises:
        ExportProblem: the adapter is of a kind that is not merged here, does not fit the base,
            or holds values that are no numbers.
    """
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    for option in _UNSUPPORTED:
        if config.get(option):
            raise ExportProblem(
                f"{adapter} uses {option}={config[option]!r}, which is not merged here",
                hint="merge it with peft's merge_and_unload",
            )
    scale = config["lora_alpha"] / config["r"]
    tensors = load_file(adapter / "adapter_model.safetensors")
    result = {name: weight.float() for name, weight in base.items()}
    used = set()
    for name in sorted(n for n in tensors if n.endswith(".lora_A.weight")):
        partner = name.replace(".lora_A.", ".lora_B.")
        target = name.removeprefix(_PREFIX).replace(".lora_A.weight", ".weight")
        if target not in result or partner not in tensors:
            raise ExportProblem(f"{adapter} changes {target}, which the base model has not")
        delta = tensors[partner].float() @ tensors[name].float()
        if delta.shape != result[target].shape or not torch.isfinite(delta).all():
            raise ExportProblem(
                f"{adapter} changes {target} by a {tuple(delta.shape)} matrix with "
                f"{int((~torch.isfinite(delta)).sum())} values that are no numbers; the base has "
                f"{tuple(result[target].shape)}"
            )
        result[target] = result[target] + scale * delta
        used |= {name, partner}
    if left := set(tensors) - used:
        raise ExportProblem(f"{adapter} holds {sorted(left)[0]}, which nothing here uses")
    return result
