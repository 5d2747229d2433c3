"""Seconds, peak memory, and what the machine's matrix products reach."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def wait(device: torch.device) -> None:
    """Until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """How long it takes, with all that it starts on the device."""
    wait(device)
    started = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - started


def median_of(work: Callable[[], object], device: torch.device, times: int) -> float:
    """The median of some runs, after one that does not count."""
    seconds_of(work, device)
    return statistics.median(seconds_of(work, device) for _ in range(times))


def reset_peak(device: torch.device) -> bool:
    """Count the peak from here; False where the system has no such count."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def peak(device: torch.device) -> int:
    """Most bytes that were held: by torch's allocator on a card, else by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _status("VmHWM")


def resident(device: torch.device) -> int:
    """Bytes held now, counted likewise."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _status("VmRSS")


def _status(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def product_rate(device: torch.device, rows: int, inputs: int, outputs: int, times: int) -> float:
    """FLOP/s of bfloat16 matrix products with random values; the best of some runs."""
    left = torch.randn(rows, inputs, device=device).bfloat16()
    right = torch.randn(outputs, inputs, device=device).bfloat16()
    made = torch.empty(rows, outputs, device=device, dtype=torch.bfloat16)

    def multiply() -> None:
        torch.mm(left, right.T, out=made)

    for _ in range(2):
        multiply()
    best = min(seconds_of(multiply, device) for _ in range(times))
    return 2.0 * rows * inputs * outputs / best
