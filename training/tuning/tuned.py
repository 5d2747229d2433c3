"""The model with its adapter, on its device, as the settings ask for it.

Frozen weights are held as `student.weights` says (float32 for models made here); the adapter and
its gradients in float32; products are computed in bfloat16 (`Machine.autocast`).
"""

from __future__ import annotations

from typing import Any

import peft
from transformers import PreTrainedModel

from assistant.errors import TrainingProblem
from training import student
from training.losses.structural import Arm
from training.stages import Job
from training.tuning import attention, lora
from training.tuning.machine import Machine
from training.tuning.sharding import shard

FOUR_BITS = "nf4"


def make(job: Job, machine: Machine) -> peft.PeftModel:
    """The student with a fresh adapter.

    Raises:
        TrainingProblem: the model can not be tuned in the way that the settings ask for.
    """
    settings = job.settings.adapter
    _check_shards(job, machine)
    base = _load(job, machine)
    _check_shape(base)
    if settings.packed or job.settings.chain != "scratch":
        base.set_attn_implementation(attention.NAME)
    tuned = lora.with_adapter(base, settings, job.settings.seed)
    if settings.recompute:
        recompute(base)
    if machine.sharded:
        shard(tuned, machine)
    elif job.settings.student.weights != FOUR_BITS:  # those are where they belong
        tuned.to(machine.device)
    return tuned


def recompute(base: PreTrainedModel) -> None:
    """Keep only what goes into each layer; the rest is computed again when it is needed."""
    # Two names for the same: the second one is going out of use.
    enable = getattr(base, "activation_checkpointing_enable", None)
    (enable or base.gradient_checkpointing_enable)({"use_reentrant": False})


def _load(job: Job, machine: Machine) -> PreTrainedModel:
    # Shards are cut on the processor: no card has to hold all of it.
    return student.load(job, device="cpu" if machine.sharded else str(machine.device))


def _check_shards(job: Job, machine: Machine) -> None:
    if not machine.sharded:
        return
    if job.settings.structural.arm == Arm.STUDENT_ENCODER.value:
        raise TrainingProblem(
            "structural.arm=student-encoder uses the model's layers by themselves, which a model "
            "cut over several cards (FSDP) does not allow",
            hint="start it with the configuration ddp.yaml",
        )
    if job.settings.student.weights == FOUR_BITS:
        raise TrainingProblem(
            f"student.weights={FOUR_BITS} is not cut over several cards here",
            hint="start it with the configuration ddp.yaml, or --set student.weights=bfloat16",
        )
    if job.settings.adapter.kind == "dora":
        raise TrainingProblem(
            "adapter.kind=dora looks at whole weights outside of the model's forward pass, which a "
            "model cut over several cards (FSDP) does not allow",
            hint="start it with the configuration ddp.yaml",
        )


def _check_shape(base: PreTrainedModel) -> None:
    """Both losses need the states that the head is applied to, and the head's matrix."""
    trunk: Any = getattr(base, "model", None)
    if getattr(trunk, "layers", None) is None or getattr(base, "lm_head", None) is None:
        raise TrainingProblem(
            f"{type(base).__name__} is not built like Llama (a part `model` with `layers`, and a "
            "head `lm_head`), so it can not be tuned here",
            hint="choose a model like Llama 3.1 or Qwen2.5",
        )
