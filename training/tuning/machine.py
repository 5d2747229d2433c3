"""The device, and the processes that share a step.

accelerate says which device this process has and how many others there are (`accelerate launch`
starts them). The model is not wrapped: every process computes its share of a step's batches, then
the adapter's gradients, 84 million numbers for rank 32 of an 8B model, are added up once a step.
All processes do the same optimizer step, so their adapters stay equal; the main one writes files.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType

from assistant.errors import UsageProblem

T = TypeVar("T")


@dataclass(frozen=True)
class Machine:
    """What one process computes on.

    Attributes:
        device: of the model.
        index: of this process, from 0; the first is the main one.
        processes: how many.
        sharded: the frozen weights are to be cut over the processes.
        exact: without bfloat16 products; for tests that compare to the last digits.
        accelerator: adds up over the processes; None is one process.
    """

    device: torch.device
    index: int = 0
    processes: int = 1
    sharded: bool = False
    exact: bool = False
    accelerator: Accelerator | None = None

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.index == 0

    def share(self, parts: Sequence[T]) -> list[tuple[T, bool]]:
        """This process's parts of a step, each with whether it counts.

        With sharded weights every process must go through the model equally often: one that has
        no part of its own any more repeats the first, which then counts nothing.
        """
        own = [(part, True) for part in parts[self.index :: self.processes]]
        rounds = -(-len(parts) // self.processes)
        idle = [(parts[0], False)] * (rounds - len(own)) if self.sharded else []
        return own + idle

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """The values, added up over all processes; any shape."""
        if self.processes == 1 or self.accelerator is None:
            return values
        # On the accelerator's own device: a card's processes can not add what is elsewhere.
        moved = values.to(self.accelerator.device)
        summed: torch.Tensor = self.accelerator.reduce(moved, "sum")
        return summed.to(values.device)

    def sum_gradients(self, parameters: Sequence[torch.Tensor]) -> None:
        """Make each gradient the sum over all processes, in one message."""
        if self.processes == 1:
            return
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        summed = self.sum(torch.cat([gradient.flatten() for gradient in found]))
        parts = torch.split(summed, [gradient.numel() for gradient in found])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.dtype)

    def agree(self, value: int) -> int:
        """The main process's value, in all of them."""
        if self.processes == 1:
            return value
        own = torch.tensor(value if self.main else 0)
        return int(self.sum(own).item())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def main_first(self) -> AbstractContextManager[Any]:
        """A block that the main process goes through before the others: it may write files."""
        if self.accelerator is None:
            return nullcontext()
        first: AbstractContextManager[Any] = self.accelerator.main_process_first()
        return first

    def autocast(self) -> AbstractContextManager[Any]:
        """Products in bfloat16; sums, norms and weights as they are."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=not self.exact)


def find(*, processor: bool) -> Machine:
    """What accelerate has given this process.

    Args:
        processor: compute on the processor, whatever else is there: small models are faster.
    """
    # Without a card accelerate has to be told so, or several processes would not find each other.
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    device = torch.device("cpu") if processor else accelerator.device
    sharded = accelerator.distributed_type == DistributedType.FSDP
    if sharded and processor:
        raise UsageProblem(
            "a model that is made here is too small to be cut over several cards",
            hint="start it without accelerate launch, or with the configuration ddp.yaml",
        )
    return Machine(
        device, accelerator.process_index, accelerator.num_processes, sharded,
        accelerator=accelerator,
    )  # fmt: skip
