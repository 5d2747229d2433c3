"""What disk and memory have to hold, and whether they do: asked before the first file."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.bench.export import model
from tests.bench.training.work import Shape

_QUANTISED_BITS = 4.9
"""A weight, of Q4_K_M at 8B, and a little."""
_MARGIN = 500_000_000
_ALIVE = 2_500_000_000
"""Python, torch and transformers, and the largest matrix in float32, beside the merged model."""


class NoRoom(Exception):
    """The disk is too small; the message says by how much."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of what is written.

    Attributes:
        base: in bfloat16; merged or in F16 it is as large.
        adapter: in float32.
        quantised: in Q4_K_M.
    """

    base: int
    adapter: int
    quantised: int

    def widest(self, names: tuple[str, ...]) -> int:
        """Most bytes that are on the disk at one time, in either side's turn."""
        usual = 3 * self.base if "usual" in names else 0
        ours = 2 * self.base + self.quantised if "ours" in names else 0
        before = self.quantised if len(names) == 2 else 0
        return self.adapter + max(usual, ours + before)

    @property
    def merging(self) -> int:
        """Bytes of memory that peft's way takes, about."""
        return self.base + _ALIVE


def sizes(shape: Shape) -> Sizes:
    """Of a model of `shape`."""
    weights = sum(one.size for one in model.tensors(shape))
    return Sizes(2 * weights, 4 * shape.adapter, int(weights * _QUANTISED_BITS / 8))


def check(folder: Path, needed: int, there: int) -> str:
    """One line on the disk.

    Args:
        folder: exists.
        needed: bytes at the widest.
        there: bytes of it that are there already.

    Raises:
        NoRoom: there is not enough.
    """
    free = shutil.disk_usage(folder).free
    line = f"disk: {needed / 1e9:.1f} GB at the widest, {(free + there) / 1e9:.1f} GB for it"
    if needed + _MARGIN > free + there:
        raise NoRoom(
            f"{line} in {folder}: not enough. Name a folder on another disk with --folder, or "
            "measure fewer layers (--layers 8)."
        )
    return line


def available() -> int:
    """Bytes of memory that programs may still take."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
