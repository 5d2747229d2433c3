"""When the memory does not suffice: the numbers, and what to set, in the order that costs least."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from assistant.errors import TrainingProblem
from training.settings import Settings
from training.stages import Job, checkpoint_path
from training.tuning.machine import Machine


@contextmanager
def advised(job: Job, machine: Machine) -> Iterator[None]:
    """Turn an allocation that failed into advice; the last checkpoint stays where it is.

    Raises:
        TrainingProblem: there was not enough memory.
    """
    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        raise _problem(job, machine) from error
    except RuntimeError as error:
        # torch's allocator for the processor has no class of its own.
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise _problem(job, machine) from error


def _problem(job: Job, machine: Machine) -> TrainingProblem:
    settings = job.settings.adapter
    kept = checkpoint_path(job.out, job.stage.name).exists()
    again = (
        " The last checkpoint is kept: if another program had taken the memory, the same command "
        "with --resume goes on from it. Other settings begin the stage anew."
        if kept
        else ""
    )
    return TrainingProblem(
        f"not enough memory on {machine.device} with adapter.batch_tokens={settings.batch_tokens}: "
        f"{peak(machine.device) / 2**30:.1f} GiB were in use at most{of_all(machine.device)}."
        f"{again}",
        hint="set, in this order: " + "; ".join(advice(job.settings)),
    )


def peak(device: torch.device) -> int:
    """Most bytes that were in use at once: on the card by torch, else by the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def of_all(device: torch.device) -> str:
    """How much there is, for a card."""
    if device.type != "cuda":
        return ""
    return f" of {torch.cuda.get_device_properties(device).total_memory / 2**30:.1f} GiB"


def advice(settings: Settings) -> list[str]:
    """What saves memory, the cheapest first; what is set already is left out."""
    adapter = settings.adapter
    found = []
    if adapter.batch_tokens > adapter.max_length:
        found.append(
            f"--set adapter.batch_tokens={max(adapter.batch_tokens // 2, adapter.max_length)} "
            f"--set adapter.accumulate={adapter.accumulate * 2} (the same step, in more parts)"
        )
    if not adapter.recompute:
        found.append("--set adapter.recompute=true (25 to 30 % slower, a fraction of the memory)")
    found.append(
        f"--set adapter.max_length={adapter.max_length // 2} (longer examples are left out)"
    )
    if settings.chain != "scratch" and settings.student.weights != "nf4":
        found.append("--set student.weights=nf4 (frozen weights in four bits; slower)")
    return found
