"""The figures of an evaluation, as `summary.json` and as a table for people."""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from assistant import __version__
from assistant.benchmarks import judging, rules, statistics
from assistant.benchmarks.catalogue import Benchmark
from assistant.benchmarks.problems import Problem
from assistant.benchmarks.records import FORMAT, PASS, Record
from assistant.benchmarks.samples import Rejected

KS = (1, 10, 100)


def figures(records: Iterable[Record], part: str) -> dict[str, Any]:
    """pass@k of one column of the verdicts.

    Args:
        records: of all samples that were judged.
        part: `base` or `plus`.
    """
    by_task: dict[str, list[bool]] = defaultdict(list)
    for record in records:
        by_task[record.task_id].append(getattr(record, part) == PASS)
    counts = {task: (len(found), sum(found)) for task, found in sorted(by_task.items())}
    fewest = min((n for n, _ in counts.values()), default=0)
    most = max((n for n, _ in counts.values()), default=0)
    found: dict[str, Any] = {
        "tasks": len(counts),
        "samples": sum(n for n, _ in counts.values()),
        "passed": sum(c for _, c in counts.values()),
        "samples_per_task": [fewest, most],
    }
    for k in KS:
        if 1 <= k <= fewest:
            values = [statistics.pass_at_k(n, c, k) for n, c in counts.values()]
            found[f"pass@{k}"] = _estimate(values, exact=most == 1)
    return found


def _estimate(values: Sequence[float], *, exact: bool) -> dict[str, Any]:
    if exact:
        interval = statistics.wilson(round(sum(values)), len(values))
    else:
        interval = statistics.bootstrap(values)
    return {
        "value": sum(values) / len(values),
        "low": interval.low,
        "high": interval.high,
        "interval": f"{interval.method}, {statistics.LEVEL:.0%}",
    }


def summarise(
    benchmark: Benchmark,
    identity: dict[str, Any],
    problems: Sequence[Problem],
    records: Sequence[Record],
    rejected: Sequence[Rejected],
    not_judged: Sequence[judging.NotJudged],
    structure: dict[str, Any],
) -> dict[str, Any]:
    """Everything that a reader of the results needs, in the order of importance.

    Args:
        benchmark: what was evaluated.
        identity: what `run.json` says.
        problems: the tasks that were asked for.
        records: the verdicts, sorted.
        rejected: lines of the samples file that could not be used.
        not_judged: samples without a verdict.
        structure: the two structural scores, or why there are none.
    """
    seen = {record.task_id for record in records}
    lost = ({one.task for one in rejected} | {one.task for one in not_judged}) - seen
    silent = [one.id for one in problems if one.id not in seen and one.id not in lost]
    used = Counter(one.inputs.rule.value for one in problems if one.inputs and one.id in seen)
    return {
        "format": FORMAT,
        **identity,
        "base": figures(records, "base"),
        "plus": figures(records, "plus") if benchmark.plus else None,
        "structure": structure,
        "outcomes": dict(sorted(Counter(record.outcome for record in records).items())),
        "layers": dict(sorted(Counter(record.layer for record in records).items())),
        "rejected": [asdict(one) for one in rejected],
        "not_judged": [asdict(one) for one in not_judged],
        "excluded_tasks": [one.id for one in problems if one.id in lost],
        "tasks_without_samples": silent,
        "equality": dict(sorted(used.items())),
        "limits": _limits(benchmark),
        "versions": {"assistant": __version__, "python": platform.python_version()},
    }


def _limits(benchmark: Benchmark) -> dict[str, Any]:
    if not benchmark.plus:
        return {"cpu_seconds_a_program": judging.TESTS_S}
    return {
        "cpu_seconds_a_call": f"max({judging.CALL_S:g} x slowness, {judging.FACTOR:g} x reference)",
        "cpu_seconds_a_program": judging.TASK_S,
        "rtol": rules.RTOL,
        "float_atol": rules.FLOAT_ATOL,
        "plus": "counts only where base passes; not run where it fails",
    }


def table(summary: dict[str, Any]) -> str:
    """The figures for a terminal."""
    lines = [f"{summary['benchmark']}: {summary['base']['tasks']} tasks, {_counts(summary)}"]
    columns = [("base", summary["base"])]
    if summary["plus"] is not None:
        columns.append(("base + plus", summary["plus"]))
    for name, found in columns:
        for key in (f"pass@{k}" for k in KS):
            if key in found:
                lines.append(_row(f"{key} {name}", found[key], found))
        if not found["tasks"]:
            lines.append(f"{name}: nothing was judged")
    lines += _structure(summary["structure"])
    outcomes = ", ".join(f"{count} {name}" for name, count in summary["outcomes"].items())
    layers = ", ".join(f"{name}" for name in summary["layers"]) or "none"
    lines.append(f"outcomes: {outcomes or 'none'}; isolation: {layers}")
    return "\n".join(lines)


def _counts(summary: dict[str, Any]) -> str:
    text = f"{summary['base']['samples']} samples judged"
    for name, what in (
        ("not_judged", "not judged"),
        ("rejected", "lines not used"),
        ("excluded_tasks", "tasks lost"),
        ("tasks_without_samples", "tasks without samples"),
    ):
        if summary[name]:
            text += f", {len(summary[name])} {what}"
    return text


def _row(name: str, estimate: dict[str, Any], found: dict[str, Any]) -> str:
    share = f"{100 * estimate['value']:5.1f} %"
    interval = f"{100 * estimate['low']:.1f} to {100 * estimate['high']:.1f} %"
    counts = f"  {found['passed']} of {found['samples']}" if name.startswith("pass@1 ") else ""
    return f"{name:<20} {share}  ({interval}, {estimate['interval']}){counts}"


def _structure(structure: dict[str, Any]) -> list[str]:
    if "why" in structure:
        return [f"structure: not scored ({structure['why']})"]
    lines = []
    for name, title in (("syntax", "syntax match"), ("data_flow", "data-flow match")):
        found = structure[name]
        if found["mean"] is None:
            continue
        floor = found["floor"]["mean"]
        chance = "" if floor is None else f" (chance {100 * floor:.1f} %)"
        corpus = "" if found["corpus"] is None else f", corpus {100 * found['corpus']:.1f} %"
        lines.append(f"{title:<20} {100 * found['mean']:5.1f} %{chance}{corpus}")
    return lines
