"""What was measured, as Markdown for people and as JSON with every value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.export.kept import differing
from tests.bench.export.sides import OURS, USUAL, Side, Step

AIM_ANONYMOUS = 1_500_000_000
"""Bytes, of merge and F16 export."""
AIM_MEMORY, AIM_SECONDS = 0.1, 0.6
"""At most these shares of the usual way's."""


@dataclass(frozen=True)
class Aim:
    """One thing that is held against a bound; `met` None: the other side was not measured."""

    what: str
    found: str
    bound: str
    met: bool | None


def anonymous(steps: Iterable[Step]) -> int:
    """Most bytes in any of some steps."""
    return max(step.usage.anonymous for step in steps)


def seconds(steps: Iterable[Step]) -> float:
    """Of some steps together."""
    return sum(step.usage.seconds for step in steps)


def aims(sides: Sequence[Side]) -> list[Aim]:
    """What was to be reached by merge and F16 export."""
    known = {side.name: side for side in sides}
    if OURS not in known:
        return []
    mine = known[OURS].first()
    held = anonymous(mine)
    found = [Aim("peak anonymous memory", f"{held / 1e9:.2f} GB", "1.5 GB", held <= AIM_ANONYMOUS)]
    if USUAL not in known:
        nothing = "the usual way was not run"
        return [
            *found,
            Aim("memory, share of the usual way's", nothing, f"{AIM_MEMORY}", None),
            Aim("wall time, share of the usual way's", nothing, f"{AIM_SECONDS}", None),
        ]
    theirs = known[USUAL].first()
    for what, share, bound in (
        ("memory", held / anonymous(theirs), AIM_MEMORY),
        ("wall time", seconds(mine) / seconds(theirs), AIM_SECONDS),
    ):
        told = f"{share:.3f}"
        found.append(Aim(f"{what}, share of the usual way's", told, f"{bound}", share <= bound))
    return found


def table(sides: Iterable[Side]) -> str:
    """A line a step."""
    lines = [
        "| side | step | seconds | processor s | anonymous GB | resident GB | read GB "
        "| written GB | result GB | to disk s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for side in sides:
        for step in side.steps:
            used = step.usage
            sizes = (used.anonymous, used.resident, used.read, used.written, step.result)
            cells = [side.name, step.name, f"{used.seconds:.1f}", f"{used.busy:.1f}"]
            cells += [f"{size / 1e9:.2f}" for size in sizes]
            lines.append(f"| {' | '.join(cells)} | {step.flushed:.1f} |")
    return "\n".join(lines)


def markdown(facts: Mapping[str, Any], sides: Sequence[Side]) -> str:
    """The whole report."""
    parts = [
        f"# Adapter to GGUF: {facts['model']}",
        "Made by `make bench-export`; what each number is: tests/bench/export/__init__.py.",
        "\n".join(f"- {name}: {value}" for name, value in facts.items() if name != "model"),
        table(sides),
        "Merge and F16 export:",
        _aims_table(aims(sides)),
        _quantiser(sides),
        _content(sides),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _aims_table(found: Sequence[Aim]) -> str:
    if not found:
        return "our side was not run"
    lines = ["| what | measured | at most | |", "|---|---|---|---|"]
    verdicts = {True: "met", False: "NOT MET", None: "not known"}
    lines += [f"| {one.what} | {one.found} | {one.bound} | {verdicts[one.met]} |" for one in found]
    return "\n".join(lines)


def _quantiser(sides: Sequence[Side]) -> str:
    told = [f"{side.name} {side.quantiser_seconds():.1f} s" for side in sides]
    return f"The quantiser alone, of F16 to Q4_K_M: {', '.join(told)}."


def _content(sides: Sequence[Side]) -> str:
    lines = []
    for side in sides:
        worst = max(side.kept.lost, key=side.kept.lost.__getitem__)
        lines.append(
            f"- {side.name}: {len(side.kept.tensors)} tensors in F16; of the adapter's change "
            f"{100 * side.kept.most_lost:.1f} % (rms) is lost in the worst matrix, {worst}; "
            f"{side.cached / 1e6:.0f} MB of the base were in the page cache at its start"
        )
    if len(sides) == 2:
        other = differing(sides[0].kept, sides[1].kept)
        told = f"{len(other)} differ: {', '.join(other[:5])}" if other else "the same in both"
        lines.append(f"- names, shapes and types of the tensors: {told}")
    return "\n".join(lines)


def write(folder: Path, facts: Mapping[str, Any], sides: Sequence[Side]) -> Path:
    """Write both files; where the Markdown is."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "version": 1, "facts": dict(facts), "sides": [asdict(side) for side in sides],
        "aims": [asdict(aim) for aim in aims(sides)],
    }  # fmt: skip
    data, text = folder / "bench-export.json", folder / "bench-export.md"
    data.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    text.write_text(markdown(facts, sides), encoding="utf-8")
    return text
