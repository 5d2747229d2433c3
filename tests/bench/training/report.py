"""What was measured: the table for people, and the file with every single value."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.training import work
from tests.bench.training.work import Shape

GIB = 2**30
AIM_SPEED, AIM_MEMORY = 1.25, 0.5
"""At least this many times the peer's tokens a second in no more memory, or at most this share of
its memory at no less speed."""
AIM_STRUCTURAL = 0.05
"""Largest share of a step that L_s may cost at the 8B shape."""
EQUAL = 1.02
"""Memory or speed within 2 % counts as equal."""


@dataclass(frozen=True)
class Steps:
    """The counted steps of one side.

    Attributes:
        name: whose.
        seconds: of each step.
        busy: seconds of all cores together, likewise.
        tokens: of one step.
        counted: tokens of one step whose loss counts.
        peak: most bytes held in any step.
        resident: bytes held before the first.
        trained: weights that are.
        losses: of each step, the first of them before any update.
    """

    name: str
    seconds: tuple[float, ...]
    busy: tuple[float, ...]
    tokens: int
    counted: int
    peak: int
    resident: int
    trained: int
    losses: tuple[float, ...]

    @property
    def second(self) -> float:
        """The median step."""
        return statistics.median(self.seconds)

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.second


@dataclass(frozen=True)
class Structural:
    """What L_s costs.

    Attributes:
        seconds: that it adds to a step.
        step: seconds of that step without it.
        layers: seconds of that step in the layers, forward and backward.
        shape: of the model that was measured.
    """

    seconds: float
    step: float
    layers: float
    shape: Shape

    def share(self, layers: int) -> float:
        """Share of a step of a model with so many layers, L_s included."""
        whole = work.scaled(self.step, self.layers, self.shape.layers, layers) + self.seconds
        return self.seconds / whole


def different(one: Steps, other: Steps, most: float = 0.01) -> list[str]:
    """What makes the work of two sides another; nothing where it is the same."""
    found = [
        f"{what}: {one.name} {getattr(one, what)}, {other.name} {getattr(other, what)}"
        for what in ("tokens", "counted", "trained")
        if getattr(one, what) != getattr(other, what)
    ]
    if not abs(one.losses[0] - other.losses[0]) <= most:
        found.append(
            f"loss before the first update: {one.name} {one.losses[0]:.4f}, "
            f"{other.name} {other.losses[0]:.4f}; more than {most} apart"
        )
    return found


def speed_ratio(ours: Steps, theirs: Steps) -> float:
    """The median of each round's ratio: times of one round were taken side by side."""
    return statistics.median(b / a for a, b in zip(ours.seconds, theirs.seconds, strict=True))


def verdict(ours: Steps, theirs: Steps) -> tuple[bool, str]:
    """Whether the aim is met, and by which of its two halves."""
    faster, smaller = speed_ratio(ours, theirs), ours.peak / theirs.peak
    text = f"{faster:.2f} times the tokens a second in {smaller:.2f} of the memory"
    met = (faster >= AIM_SPEED and smaller <= EQUAL) or (
        smaller <= AIM_MEMORY and faster >= 1 / EQUAL
    )
    return met, text


def side_lines(shape: Shape, lengths: Sequence[int], sides: Sequence[Steps], peak: float) -> str:
    """The table of the sides.

    Args:
        shape: of the model.
        lengths: of the examples of a step.
        sides: all of them.
        peak: FLOP/s of a matrix product on this machine, measured.
    """
    lines = [
        "| side | tokens/s | s a step (each round) | MFU | peak GiB | of it before the steps |",
        "|---|---|---|---|---|---|",
    ]
    for side in sides:
        flops = work.needed(shape, lengths, side.counted).total
        mfu = work.utilisation(flops, side.second, peak)
        each = ", ".join(f"{one:.1f}" for one in side.seconds)
        lines.append(
            f"| {side.name} | {side.rate:.1f} | {side.second:.1f} ({each}) | {mfu:.1%} "
            f"| {side.peak / GIB:.2f} | {side.resident / GIB:.2f} |"
        )
    return "\n".join(lines)


def structural_lines(found: Structural) -> str:
    """L_s in words; the share at 32 layers is computed, and that is said."""
    measured, full = found.shape.layers, work.SHAPES["full"].layers
    met = "met" if found.share(full) <= AIM_STRUCTURAL else "NOT MET"
    text = (
        f"L_s adds {found.seconds:.2f} s to a step of {found.step:.2f} s: "
        f"{found.share(measured):.1%} of it at {measured} layers"
    )
    if measured == full:
        return f"{text} (measured); aim at most {AIM_STRUCTURAL:.0%}: {met}"
    return (
        f"{text}; {found.share(full):.1%} at {full} layers (computed: the measured seconds over "
        f"this step with its layers' part scaled to {full}); aim at most "
        f"{AIM_STRUCTURAL:.0%}: {met}"
    )


def parts_lines(parts: dict[str, float]) -> str:
    """Where a step's seconds go."""
    whole = sum(parts.values())
    lines = ["| part of our step | s | share |", "|---|---|---|"]
    lines += [f"| {name} | {value:.3f} | {value / whole:.0%} |" for name, value in parts.items()]
    return "\n".join(lines)


def card_line(found: dict[str, Any] | None) -> str:
    """The row of the whole 8B shape on a card."""
    if found is None:
        return "8B on one GPU: not run"
    return (
        f"8B on one {found['card']}: {found['tokens_per_second']:.0f} tokens/s, MFU "
        f"{found['mfu_published']:.1%} of {found['datasheet'] / 1e12:.0f} TFLOP/s as published "
        f"tables count ({found['mfu_needed']:.1%} by what is needed; "
        f"{found['mfu_measured']:.1%} of the {found['product'] / 1e12:.0f} TFLOP/s that a matrix "
        f"product reached here), peak {found['peak'] / GIB:.1f} GiB, L_s "
        f"{found['structural_share']:.1%} of a step"
    )


def write(path: Path, section: str, content: dict[str, Any]) -> dict[str, Any]:
    """Put a section into the file; the others stay. Returns all of them."""
    whole: dict[str, Any] = {}
    if path.exists():
        whole = json.loads(path.read_text(encoding="utf-8"))
    whole[section] = content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return whole


def plain(side: Steps) -> dict[str, Any]:
    """For the file."""
    return asdict(side) | {"median": side.second, "tokens_per_second": side.rate}


def peer_line(found: dict[str, Any], peer: dict[str, Any] | None) -> str:
    """The row of the peer on a card."""
    if peer is None:
        return "TRL on that GPU: not run (trl or flash-attn is not installed there)"
    return (
        f"TRL on that GPU: {peer['tokens_per_second']:.0f} tokens/s, peak "
        f"{peer['peak'] / GIB:.1f} GiB; ours is "
        f"{found['tokens_per_second'] / peer['tokens_per_second']:.2f} times as fast in "
        f"{found['peak'] / peer['peak']:.2f} of its memory"
    )
