"""Does a score of answers go with their passing tests? Correlations with intervals.

Two of each score: over all answers, and within problems (each answer against the mean of the
answers to its question). The first is high already when easy problems have short programs, which
are near their reference and pass; the second asks what a loss would need: that of two answers to
the same question the nearer one is the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 5000
SEED = 20_251_017
_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """Pearson's r, with the 95% interval of a bootstrap over problems.

    Attributes:
        r: None where one of the two does not vary.
        low: of the interval, None likewise.
        high: of the interval, None likewise.
    """

    r: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Both:
    """Over all answers, and within problems."""

    overall: Correlation
    within: Correlation
    answers: int
    problems: int


def correlate(scores: Sequence[float], passed: Sequence[float], problems: Sequence[str]) -> Both:
    """How a score goes with passing.

    Args:
        scores: of each answer.
        passed: 1 or 0 of each.
        problems: whose answer each is; they are drawn as a whole.
    """
    names, groups = np.unique(np.asarray(problems), return_inverse=True)
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(passed, dtype=np.float64)
    count = len(names)
    sizes = np.maximum(np.bincount(groups, minlength=count), 1)
    centred_x = x - (np.bincount(groups, x, count) / sizes)[groups]
    centred_y = y - (np.bincount(groups, y, count) / sizes)[groups]
    return Both(
        _with_interval(_sums(x, y, groups, count)),
        _with_interval(_sums(centred_x, centred_y, groups, count)),
        len(x),
        count,
    )


def _sums(x: _Numbers, y: _Numbers, groups: NDArray[np.intp], count: int) -> _Numbers:
    """Of 1, x, y, xx, yy and xy in each problem; shape ``(problems, 6)``."""
    parts = (np.ones_like(x), x, y, x * x, y * y, x * y)
    return np.stack([np.bincount(groups, part, count) for part in parts], axis=1)


def _with_interval(sums: _Numbers) -> Correlation:
    found = pearson(sums.sum(0)[None])
    if np.isnan(found[0]):
        return Correlation(None, None, None)
    count = len(sums)
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    again = pearson(drawn @ sums)
    low, high = np.nanpercentile(again, [2.5, 97.5])
    return Correlation(float(found[0]), float(low), float(high))


def pearson(sums: _Numbers) -> _Numbers:
    """r from sums, shape ``(rows, 6)`` to ``(rows,)``; NaN where one of both does not vary."""
    n, x, y, xx, yy, xy = sums.T
    spread = (xx - x * x / n) * (yy - y * y / n)
    # Rounding leaves a little where there is nothing.
    varies = spread > 1e-18 * np.maximum(xx * yy, 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(varies, (xy - x * y / n) / np.sqrt(np.abs(spread)), np.nan)
