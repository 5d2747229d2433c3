"""The run as a picture: the loss, both terms, and the ratio of their gradients, as SVG.

Written by hand, as `training.curriculum_plot`: a few lines are no reason for a plotting library.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from training import files
from training.stages import Job

_POINTS = 600
"""Most points of a line; more are averaged."""
_LEFT, _WIDTH, _HEIGHT, _GAP = 70, 540, 130, 60
_PANELS = (
    ("loss = alpha L_token + beta scale L_s", ("loss",)),
    ("L_token (dashed: on validation problems)", ("token_loss", "val_loss")),
    ("L_s", ("structural_loss",)),
    ("gradient of L_s over gradient of L_token", ("gradient_ratio",)),
)


def write(job: Job) -> None:
    """Write `adapter/metrics.svg` from `adapter/metrics.jsonl`."""
    files.write_text(job.path("adapter/metrics.svg"), svg(job.path("adapter/metrics.jsonl")))


def svg(metrics: Path) -> str:
    """The picture's text.

    Args:
        metrics: a JSON object a line, with `step`.
    """
    rows = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    panels = [_panel(i, title, names, rows) for i, (title, names) in enumerate(_PANELS)]
    height = len(_PANELS) * (_HEIGHT + _GAP) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<title>tuning</title>\n<rect width="640" height="{height}" fill="white"/>\n'
        + "\n".join(panels)
        + "\n</svg>\n"
    )


def _panel(number: int, title: str, names: Sequence[str], rows: Sequence[dict[str, float]]) -> str:
    top = 30 + number * (_HEIGHT + _GAP)
    lines = [[(row["step"], row[name]) for row in rows if _finite(row.get(name))] for name in names]
    values = [value for line in lines for _, value in line] or [0.0]
    low, high = min(values), max(values)
    last = max((row["step"] for row in rows), default=0)
    span = (high - low) or 1.0

    def at(step: float, value: float) -> str:
        x = _LEFT + _WIDTH * step / max(last, 1)
        return f"{x:.1f},{top + _HEIGHT * (1 - (value - low) / span):.1f}"

    drawn = [
        f'<polyline fill="none" stroke="#0060a0" stroke-width="1.5"{dashes} '
        f'points="{" ".join(at(*point) for point in _thinned(line))}"/>'
        for line, dashes in zip(lines, ("", ' stroke-dasharray="6 4"'), strict=False)
    ]
    box = (
        f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" '
        'stroke="#ccc"/>'
    )
    labels = (
        f'<text x="{_LEFT}" y="{top - 8}">{title}</text>'
        f'<text x="{_LEFT - 6}" y="{top + 10}" text-anchor="end">{high:.4g}</text>'
        f'<text x="{_LEFT - 6}" y="{top + _HEIGHT}" text-anchor="end">{low:.4g}</text>'
        f'<text x="{_LEFT + _WIDTH}" y="{top + _HEIGHT + 16}" text-anchor="end">step {last}</text>'
    )
    return "\n".join([box, labels, *drawn])


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _thinned(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `_POINTS` points: each the mean of some neighbours."""
    group = -(-len(line) // _POINTS) or 1
    parts = [line[i : i + group] for i in range(0, len(line), group)]
    return [(p[-1][0], sum(value for _, value in p) / len(p)) for p in parts]
