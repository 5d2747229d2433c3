"""Two evaluations of the same tasks, compared task by task.

One sample a task on both sides: McNemar's exact test. In any case: the difference of pass@1 with
a paired bootstrap interval over tasks, the seed being fixed.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from assistant.benchmarks import records, statistics
from assistant.errors import DataProblem, UsageProblem

_SAME = {
    "benchmark": "they are of different benchmarks",
    "dataset_sha256": "their data differs",
    "judge": "they were judged by different rules",
    "prompt": "the models were not asked the same way",
    "extraction": "their programs were not taken from the answers the same way",
}


def compare(first: Path, second: Path) -> dict[str, Any]:
    """What differs between two evaluations.

    Args:
        first: the folder of one.
        second: that of the other; differences are second minus first.

    Raises:
        DataProblem: a folder holds no finished evaluation, or they have no task in common.
        UsageProblem: they can not be compared.
    """
    one, other = records.read_run(first), records.read_run(second)
    for name, reason in _SAME.items():
        if one.get(name) != other.get(name):
            raise UsageProblem(
                f"{first} and {second} can not be compared: {reason} "
                f"({one.get(name)!s:.60} and {other.get(name)!s:.60})."
            )
    parts = ["base"]
    if records.read_summary(first).get("plus") and records.read_summary(second).get("plus"):
        parts.append("plus")
    found: dict[str, Any] = {
        "benchmark": one["benchmark"],
        "first": _name(first, one),
        "second": _name(second, other),
    }
    for part in parts:
        found[part] = _part(_shares(first, part), _shares(second, part), first, second)
    return found


def _name(folder: Path, run: dict[str, Any]) -> dict[str, Any]:
    return {"folder": str(folder), "model": run.get("model", "given samples")}


def _shares(folder: Path, part: str) -> dict[str, list[bool]]:
    by_task: dict[str, list[bool]] = defaultdict(list)
    for record in records.read_verdicts(folder).values():
        by_task[record.task_id].append(getattr(record, part) == records.PASS)
    return by_task


def _part(
    one: dict[str, list[bool]], other: dict[str, list[bool]], first: Path, second: Path
) -> dict[str, Any]:
    common = sorted(one.keys() & other.keys(), key=_order)
    if not common:
        raise DataProblem(f"{first} and {second} have no task in common.")
    mine = [sum(one[task]) / len(one[task]) for task in common]
    theirs = [sum(other[task]) / len(other[task]) for task in common]
    differences = [b - a for a, b in zip(mine, theirs, strict=True)]
    interval = statistics.bootstrap(differences)
    better = [
        [task for task, d in zip(common, differences, strict=True) if sign * d > 0]
        for sign in (-1, 1)
    ]
    found: dict[str, Any] = {
        "tasks": len(common),
        "only_in_first": sorted(one.keys() - other.keys(), key=_order),
        "only_in_second": sorted(other.keys() - one.keys(), key=_order),
        "first_pass@1": sum(mine) / len(common),
        "second_pass@1": sum(theirs) / len(common),
        "difference": sum(differences) / len(common),
        "low": interval.low,
        "high": interval.high,
        "interval": f"paired bootstrap over tasks, {statistics.LEVEL:.0%}",
        "better_in_first": better[0],
        "better_in_second": better[1],
    }
    if all(len(one[task]) == len(other[task]) == 1 for task in common):
        found["mcnemar_p"] = statistics.mcnemar(len(better[0]), len(better[1]))
    return found


def _order(task: str) -> tuple[str, int]:
    head, _, tail = task.rpartition("/")
    return head, int(tail) if tail.isdigit() else 0


def table(found: dict[str, Any]) -> str:
    """The comparison for a terminal."""
    lines = [
        f"{found['benchmark']}",
        f"  first:  {found['first']['model']} ({found['first']['folder']})",
        f"  second: {found['second']['model']} ({found['second']['folder']})",
    ]
    for part in ("base", "plus"):
        if part in found:
            lines += _lines(part if part == "base" else "base + plus", found[part])
    return "\n".join(lines)


def _lines(title: str, found: dict[str, Any]) -> list[str]:
    lines = [
        f"{title}: {found['tasks']} tasks; pass@1 {100 * found['first_pass@1']:.1f} % and "
        f"{100 * found['second_pass@1']:.1f} %",
        f"  difference {100 * found['difference']:+.1f} points "
        f"({100 * found['low']:+.1f} to {100 * found['high']:+.1f}, {found['interval']})",
    ]
    if "mcnemar_p" in found:
        lines.append(f"  McNemar's exact test: p = {found['mcnemar_p']:.3g}")
    for name, what in (
        ("better_in_first", "better in the first"),
        ("better_in_second", "better in the second"),
        ("only_in_first", "judged in the first alone"),
        ("only_in_second", "judged in the second alone"),
    ):
        if found[name]:
            lines.append(f"  {what} ({len(found[name])}): {' '.join(found[name])}")
    return lines
