"""The adapter: LoRA, rsLoRA or DoRA by peft, and its files, which PEFT reads.

lora     W + (alpha / rank) B A
rslora   W + (alpha / sqrt(rank)) B A: larger ranks learn as fast as small ones
dora     a length for each output beside the direction W + (alpha / rank) B A
"""

from __future__ import annotations

import warnings
from typing import Any

import peft
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel

from assistant.errors import TrainingProblem, UsageProblem
from training import files
from training.settings import Adapter
from training.stages import Job
from training.tuning import fused

ALL = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
"""The linear layers of attention and feed-forward in Llama, Qwen2 and their relatives."""
KINDS: dict[str, dict[str, bool]] = {
    "lora": {"use_rslora": False, "use_dora": False},
    "rslora": {"use_rslora": True, "use_dora": False},
    "dora": {"use_rslora": False, "use_dora": True},
}


def targets(model: nn.Module, named: str) -> list[str]:
    """Which matrices get an adapter, by the last part of their names, in alphabetical order.

    Args:
        model: whose linear layers are looked at.
        named: `all`, or names with commas.

    Raises:
        TrainingProblem: the model has no linear layer of such a name, or it is the head.
    """
    parts = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    linear = {name.rpartition(".")[2] for name in parts} - {"lm_head"}
    wanted = ALL if named == "all" else tuple(name.strip() for name in named.split(","))
    if missing := sorted(set(wanted) - linear):
        raise TrainingProblem(
            f"adapter.targets={named}: the model has no linear layer {missing[0]} that could get "
            f"an adapter; it has: {', '.join(sorted(linear))}",
            hint=f"--set adapter.targets={','.join(sorted(linear))}",
        )
    return sorted(set(wanted))


def options(settings: Adapter) -> dict[str, Any]:
    """What describes the adapter, in PEFT's words.

    Raises:
        UsageProblem: there is no such kind.
    """
    if settings.kind not in KINDS:
        raise UsageProblem(
            f"adapter.kind={settings.kind}: there is no such adapter",
            hint=f"one of: {', '.join(KINDS)}",
        )
    return {
        "r": settings.rank, "lora_alpha": settings.alpha, "lora_dropout": settings.dropout,
        **KINDS[settings.kind],
    }  # fmt: skip


def with_adapter(base: PreTrainedModel, settings: Adapter, seed: int) -> peft.PeftModel:
    """`base`, frozen, with a fresh adapter in float32 that does nothing yet."""
    config = peft.LoraConfig(
        **options(settings), target_modules=targets(base, settings.targets), task_type="CAUSAL_LM"
    )
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 for a name that was changed; nothing of ours.
        warnings.simplefilter("ignore", FutureWarning)
        tuned: peft.PeftModel = peft.get_peft_model(base, config)
    fused.install(tuned)
    # Dropout and recomputation look at it.
    tuned.train()
    return tuned


def weights(tuned: peft.PeftModel) -> dict[str, torch.Tensor]:
    """The adapter's weights by PEFT's names; never the embedding, which is not tuned."""
    state: dict[str, torch.Tensor] = peft.get_peft_model_state_dict(
        tuned, save_embedding_layers=False
    )
    return state


class AdapterState:
    """The adapter's weights as a state; the frozen rest is on disk already."""

    def __init__(self, tuned: peft.PeftModel) -> None:
        self._tuned = tuned

    def state_dict(self) -> dict[str, Any]:
        """The weights."""
        return weights(self._tuned)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the weights."""
        peft.set_peft_model_state_dict(self._tuned, state)


def save(job: Job, tuned: peft.PeftModel, base: str, revision: str = "") -> None:
    """Write the adapter as PEFT does, but the same bytes each time and without paths.

    Args:
        job: of the stage.
        tuned: the model with its adapter.
        base: where the model comes from: a name on the hub, or a folder beside the adapter.
        revision: its commit.
    """
    state = weights(tuned)
    with files.replacing(job.path("adapter/adapter_model.safetensors")) as path:
        save_file({name: state[name].cpu().contiguous() for name in sorted(state)}, path)
    described = options(job.settings.adapter)
    config: Any = tuned.peft_config["default"]
    kind = {name: described.pop(name) for name in ("use_rslora", "use_dora")}
    files.write_json(
        job.path("adapter/adapter_config.json"),
        {
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base,
            **({"revision": revision} if revision else {}), **described,
            "target_modules": sorted(config.target_modules), "bias": "none",
            **kind, "fan_in_fan_out": False, "inference_mode": True,
        },
    )  # fmt: skip
