"""The funnel's counts: for people line by line, and as a file of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from training.data.funnel import Count

_SHOWN = 4
"""Reasons in one line; the file has all."""


def lines(counts: Sequence[Count], paper: int | None) -> Iterator[str]:
    """One line for each step, the last one beside the paper's number.

    Args:
        counts: of the funnel, when it has ended.
        paper: how many problems the paper had, where it used the same data.
    """
    width = max(len(count.name) for count in counts)
    for count in counts:
        lost = sum(count.dropped.values())
        told = f"{count.name:<{width}} {count.kept:>8,}"
        yield f"{told} {-lost:>+8,}  {_reasons(count)}".rstrip() if lost else told
    if paper is not None:
        yield beside(counts[-1].kept, paper)


def beside(kept: int, paper: int) -> str:
    """The number of problems beside the paper's."""
    difference = kept - paper
    return (
        f"{kept:,} problems; the paper has {paper:,}: {difference:+,} "
        f"({difference / paper:+.1%}). Its rule is not published, so no step here aims at it."
    )


def _reasons(count: Count) -> str:
    ordered = sorted(count.dropped.items(), key=lambda one: (-one[1], one[0]))
    told = [f"{reason} {number:,} (first: {count.first[reason]})" for reason, number in ordered]
    more = [f"{len(told) - _SHOWN} more reasons"] if len(told) > _SHOWN else []
    return "; ".join([*told[:_SHOWN], *more])


def record(
    counts: Sequence[Count], paper: int | None, origin: dict[str, Any], said: Sequence[str]
) -> dict[str, Any]:
    """What `problems.funnel.json` holds."""
    kept = counts[-1].kept
    made: dict[str, Any] = {
        "origin": origin,
        "steps": [
            {"step": c.name, "kept": c.kept, "dropped": c.dropped, "first": c.first} for c in counts
        ],
        "problems": kept,
        "notes": list(said),
    }
    if paper is not None:
        made["paper"] = {"problems": paper, "difference": kept - paper, "share": kept / paper}
    return made
