"""What the adapter's training logged, step by step: the lines of the plots, and where they end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KEYS = ("token_loss", "structural_loss", "gradient_ratio")
_POINTS = 60
"""Of a line in a plot; each is the mean of the steps between."""
_END = 0.1
"""Share of the steps, the last ones, whose mean stands for the end: one step is mostly noise."""


def _steps(out: Path) -> list[dict[str, Any]]:
    """The metrics of a run; none where nothing was tuned."""
    path = out / "adapter" / "metrics.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tokens(out: Path) -> int:
    """What the adapter was trained on, padding included."""
    return int(sum(step.get("tokens", 0) for step in _steps(out)))


def end(out: Path) -> dict[str, float]:
    """Means of the last tenth of the steps."""
    steps = _steps(out)
    last = steps[-max(1, round(_END * len(steps))) :] if steps else []
    return {
        key: sum(step[key] for step in last) / len(last)
        for key in KEYS if last and all(key in step for step in last)
    }  # fmt: skip


def mean_series(outs: Sequence[Path]) -> dict[str, list[list[float]]]:
    """For each key the points `[step, value]`, means over the seeds.

    Seeds whose lengths differ are cut at the shortest.
    """
    runs = [steps for out in outs if (steps := _steps(out))]
    length = min(map(len, runs), default=0)
    found = {}
    for key in KEYS:
        if length and all(key in step for steps in runs for step in steps[:length]):
            means = [sum(steps[i][key] for steps in runs) / len(runs) for i in range(length)]
            found[key] = _thinned(means)
    return found


def _thinned(values: Sequence[float]) -> list[list[float]]:
    """At most `_POINTS` points, each in the middle of the steps that it is the mean of."""
    count = min(_POINTS, len(values))
    edges = [len(values) * i // count for i in range(count + 1)]
    return [
        [(start + stop - 1) / 2, sum(values[start:stop]) / (stop - start)]
        for start, stop in itertools.pairwise(edges)
    ]
