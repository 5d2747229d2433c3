"""Two kinds of pictures as SVG, by hand: points with intervals, and lines over an axis.

Colours and the lines' dashes are classes that the page defines, for light and dark; nothing is
told by colour alone: a line has its own dashes, and a row its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _NAMES, _RIGHT = 760, 170, 20
_ROW, _AXIS = 26, 46
_TOP, _HEIGHT, _LEFT = 16, 240, 64
_KINDS = 10
"""Different lines that the page knows; more begin again."""


@dataclass(frozen=True)
class Row:
    """A name with a value, its interval, and the values that it is made of (the seeds')."""

    name: str
    value: float
    low: float
    high: float
    dots: Sequence[float] = ()


@dataclass(frozen=True)
class Line:
    """A name with points, and the interval of each where it has one."""

    name: str
    points: Sequence[tuple[float, float]]
    bars: Sequence[tuple[float, float]] = ()


def intervals(title: str, rows: Sequence[Row], unit: str = "%") -> str:
    """Points with intervals, a row each; the seeds are small circles.

    Args:
        title: of the picture, for those who do not see it.
        rows: at least one.
        unit: of the axis; values are shares, shown per cent.
    """
    low, high = _range([v for row in rows for v in (row.low, row.high, *row.dots)])
    bottom = _TOP + _ROW * len(rows)
    room = _WIDTH - _NAMES - _RIGHT

    def x(value: float) -> float:
        return _NAMES + room * (value - low) / (high - low)

    parts = [
        f'<line class="grid" x1="{x(t):.1f}" y1="{_TOP}" x2="{x(t):.1f}" y2="{bottom}"/>'
        f'<text x="{x(t):.1f}" y="{bottom + 18}" text-anchor="middle">{100 * t:g}{unit}</text>'
        for t in ticks(low, high)
    ]
    for number, row in enumerate(rows):
        y = _TOP + _ROW * (number + 0.5)
        parts.append(
            f'<text x="{_NAMES - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(row.name)}</text>'
            f'<line class="bar" x1="{x(row.low):.1f}" y1="{y:.1f}" x2="{x(row.high):.1f}" '
            f'y2="{y:.1f}"/><circle class="mean" cx="{x(row.value):.1f}" cy="{y:.1f}" r="4.5"/>'
        )
        parts += [
            f'<circle class="seed" cx="{x(dot):.1f}" cy="{y:.1f}" r="2.5"/>' for dot in row.dots
        ]
    return _svg(title, bottom + _AXIS - 20, parts)


def lines(title: str, found: Sequence[Line], x_label: str, *, per_cent: bool = False) -> str:
    """Lines over an axis from the smallest to the largest x, with a legend below.

    Args:
        title: of the picture.
        found: at least one line with a point.
        x_label: of the axis.
        per_cent: values are shares.
    """
    ys = [y for line in found for _, y in line.points] + [y for one in found for b in one.bars
                                                         for y in b]  # fmt: skip
    xs = [x for line in found for x, _ in line.points]
    low, high = _range(ys)
    first, last = min(xs), max(max(xs), min(xs) + 1e-9)
    bottom, room = _TOP + _HEIGHT, _WIDTH - _LEFT - _RIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + room * (x - first) / (last - first),
            _TOP + _HEIGHT * (high - y) / (high - low),
        )

    parts = []
    for tick in ticks(low, high):
        y = at(first, tick)[1]
        shown = f"{100 * tick:g}%" if per_cent else f"{tick:g}"
        parts.append(
            f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>'
        )
    for tick in ticks(first, last):
        x = at(tick, low)[0]
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    parts.append(
        f'<text x="{_LEFT + room / 2:.1f}" y="{bottom + 38}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    for number, line in enumerate(found):
        parts += _drawn(line, number % _KINDS, at)
    below = bottom + 58
    for number, line in enumerate(found):
        x, y = _LEFT + 230 * (number % 3), below + 20 * (number // 3)
        kind = number % _KINDS
        parts.append(
            f'<line class="line k{kind}" x1="{x}" y1="{y}" x2="{x + 34}" y2="{y}"/>'
            f'<text x="{x + 42}" y="{y + 4}">{escape(line.name)}</text>'
        )
    return _svg(title, below + 20 * ((len(found) + 2) // 3), parts)


def _drawn(line: Line, kind: int, at: Callable[[float, float], tuple[float, float]]) -> list[str]:
    places = [at(x, y) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline class="line k{kind}" points="{path}"/>']
    if len(places) <= 12:
        parts += [f'<circle class="dot k{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
                  for x, y in places]  # fmt: skip
    for (x, _), (low, high) in zip(line.points, line.bars, strict=bool(line.bars)):
        (left, top), (_, below) = at(x, high), at(x, low)
        parts.append(
            f'<line class="line solid k{kind}" x1="{left:.1f}" y1="{top:.1f}" x2="{left:.1f}" '
            f'y2="{below:.1f}"/>'
        )
    return parts


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Both ends with a little room; never empty."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or max(abs(high), 0.01) * 0.1
    return (0.0 if 0 <= low < room else low - room), high + room


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`: three to eight of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    for factor in (5.0, 2.0):
        if (high - low) / (step * factor) >= 3:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    inner = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img">'
        f"<title>{escape(title)}</title>\n{inner}\n</svg>"
    )
