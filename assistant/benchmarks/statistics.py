"""The numbers of an evaluation: estimates, intervals, and tests of differences.

Sources: pass@k, Chen et al. 2021 (arXiv 2107.03374), equation 1; the score interval, Wilson 1927;
the exact test of paired proportions, McNemar 1947, two-sided binomial; percentile bootstrap over
tasks, Efron 1979. All of it is deterministic: the bootstrap has a fixed seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
Z = 1.959963984540054
"""The normal quantile of a two-sided interval at `LEVEL`."""
RESAMPLES = 5_000
SEED = 20_251_017


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval at `LEVEL`, of a share between 0 and 1 or of a difference of two."""

    low: float
    high: float
    method: str


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of the probability that one of `k` samples passes.

    Args:
        n: samples that were judged.
        c: those that passed.
        k: at most `n`.

    Raises:
        ValueError: the numbers contradict each other.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"no pass@{k} of {c} passes among {n} samples")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def wilson(passed: int, total: int) -> Interval:
    """The score interval of a share.

    Raises:
        ValueError: there is nothing to estimate from.
    """
    if total < 1 or not 0 <= passed <= total:
        raise ValueError(f"no interval of {passed} among {total}")
    share = passed / total
    divisor = 1 + Z**2 / total
    centre = (share + Z**2 / (2 * total)) / divisor
    half = Z / divisor * math.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    # Rounding must not push an interval off its own estimate.
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(min(low, share), max(high, share), "Wilson")


def bootstrap(values: Sequence[float], *, resamples: int = RESAMPLES) -> Interval:
    """The percentile interval of the mean of `values`, one for each task, over tasks.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no interval of no values")
    generator = random.Random(SEED)
    count = len(values)
    means = sorted(math.fsum(generator.choices(values, k=count)) / count for _ in range(resamples))
    tail = (1 - LEVEL) / 2
    last = resamples - 1
    return Interval(means[round(tail * last)], means[round((1 - tail) * last)], "bootstrap")


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of two runs being equally good.

    Args:
        only_first: tasks that the first run alone passes.
        only_second: tasks that the second run alone passes.
    """
    count = only_first + only_second
    if count == 0:
        return 1.0
    least = min(only_first, only_second)
    tail = sum(math.comb(count, i) for i in range(least + 1))
    return min(1.0, float(2 * tail / 2**count))
