"""What can be said of arms from seeds and problems: intervals, tests, what was detectable.

The values of an arm are a table of seeds by problems (1 passed, 0 failed, NaN not judged). Arms
are compared cell by cell: the same seed means the same order of the data, the same problem the
same question.

- Interval: percentiles of a bootstrap over seeds and problems at once, each drawn with
  replacement (the pigeonhole bootstrap: Owen, Annals of Applied Statistics 1, 2007, 386-411). It
  errs towards wide intervals. With one seed only problems are drawn, or, of a share, Wilson's.
- Test: with one seed McNemar's exact test; with several the same bootstrap of the difference.
- Several arms: Holm's correction (Scandinavian Journal of Statistics 6, 1979, 65-70).
- Detectable: the smallest true difference that such an experiment finds with a probability of
  80% at the 5% level, (1.960 + 0.842) standard errors of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from assistant.benchmarks.statistics import LEVEL, mcnemar, wilson

Table = NDArray[np.float64]
"""Shape ``(seeds, problems)``."""

RESAMPLES = 5000
SEED = 20_251_017
POWER = 0.8
_UNSEEN = 3.0
"""Cells that may differ although none was seen to: 3 of n is the upper end of a 95% interval of a
share of which nothing was observed (the rule of three)."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval at 95%."""

    value: float
    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Difference:
    """An arm less the one that it is compared with.

    Attributes:
        value: mean of the cells that both have.
        low: of the interval.
        high: of the interval.
        p: two-sided, of there being no difference.
        test: how it was computed.
        standard_error: of `value`.
        detectable: see `minimum_detectable`.
        only_first: cells in which the compared arm alone passes.
        only_second: cells in which this arm alone passes.
        cells: how many both have.
    """

    value: float
    low: float
    high: float
    p: float
    test: str
    standard_error: float
    detectable: float
    only_first: int
    only_second: int
    cells: int


def table(values: Mapping[int, Mapping[str, float | None]], problems: Sequence[str]) -> Table:
    """The table of an arm.

    Args:
        values: by seed and problem; None is not judged.
        problems: the columns.
    """
    made = np.full((len(values), len(problems)), np.nan)
    for row, seed in enumerate(sorted(values)):
        for column, problem in enumerate(problems):
            value = values[seed].get(problem)
            if value is not None:
                made[row, column] = value
    return made


def resampled(values: Table, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """Means of `values`, which has some, over drawn seeds and problems; ``(resamples,)``."""
    known = ~np.isnan(values)
    seeds, problems = values.shape
    generator = np.random.default_rng(SEED)
    rows = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    columns = generator.multinomial(problems, np.full(problems, 1 / problems), size=resamples)
    sums = ((rows @ np.where(known, values, 0.0)) * columns).sum(1)
    counts = ((rows @ known.astype(np.float64)) * columns).sum(1)
    # A draw of cells that are all unknown has no mean.
    means: NDArray[np.float64] = sums[counts > 0] / counts[counts > 0]
    return means


def estimate(values: Table, *, shares: bool = False) -> Estimate:
    """The mean of a table with its interval.

    Args:
        values: of an arm.
        shares: they are 0 and 1, so that one seed has Wilson's interval.

    Raises:
        ValueError: there is no value.
    """
    values = _with_values(values)
    mean = float(np.nanmean(values))
    if shares and len(values) == 1:
        known = values[~np.isnan(values)]
        found = wilson(round(float(known.sum())), len(known))
        return Estimate(mean, found.low, found.high, "Wilson")
    low, high = _percentiles(resampled(values))
    drawn = "problems" if len(values) == 1 else "seeds and problems"
    return Estimate(mean, min(low, mean), max(high, mean), f"bootstrap over {drawn}")


def _with_values(values: Table) -> Table:
    """Without the seeds that have no value: a failed run is not drawn.

    Raises:
        ValueError: none has.
    """
    kept: Table = values[~np.isnan(values).all(1)]
    if not len(kept):
        raise ValueError("no interval of no values")
    return kept


def _percentiles(means: NDArray[np.float64]) -> tuple[float, float]:
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def difference(first: Table, second: Table) -> Difference:
    """`second` less `first`, two tables of the same seeds and problems.

    Raises:
        ValueError: they have no cell in common.
    """
    change = _with_values(second - first)
    known = change[~np.isnan(change)]
    means = resampled(change)
    value = float(known.mean())
    low, high = _percentiles(means)
    only_first, only_second = int((known < 0).sum()), int((known > 0).sum())
    error = max(float(means.std()), math.sqrt(_UNSEEN) / len(known))
    if len(change) == 1:
        p, test = mcnemar(only_first, only_second), "McNemar, exact"
    else:
        p, test = _p_value(means), "paired bootstrap over seeds and problems"
    return Difference(
        value, min(low, value), max(high, value), p, test, error, minimum_detectable(error),
        only_first, only_second, len(known),
    )  # fmt: skip


def _p_value(means: NDArray[np.float64]) -> float:
    """Twice the share of drawn means on the other side of 0, both ends counting 0 itself."""
    below, above = int((means <= 0).sum()), int((means >= 0).sum())
    return min(1.0, 2 * (min(below, above) + 1) / (len(means) + 1))


def minimum_detectable(
    standard_error: float, *, level: float = 1 - LEVEL, power: float = POWER
) -> float:
    """The true difference that is found with probability `power` at `level`, two-sided."""
    normal = NormalDist()
    return (normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)) * standard_error


def holm(values: Sequence[float]) -> list[float]:
    """p-values of several tests, corrected for there being several, in the order given."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    corrected, least = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * values[i]))
        corrected[i] = least
    return corrected
