"""How many tokens to guess ahead now, so that tokens come as fast as they can.

Two things are learned. What a decode call costs by its number of rows: from the calls that are
made. How many guesses are right: from every guess that could have been made, used or not, by
comparing it with the tokens that came. So a text that does not repeat itself costs nothing but
the looking up, and a text that begins to repeat itself is noticed without a trial.

There is no clock here: times are given.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence

from assistant.engine.lookup import PromptLookup

MOST = 15
"""Tokens that are guessed at once, at most: 16 rows are cheaper than 17, and than 12."""
_BLOCK = 4
"""llama.cpp's kernels work on so many rows at a time; 5 rows cost nearly as much as 8."""
_HOPE = 0.7
"""More rows than were measured are expected to cost as the rows to this power, or less: a guess
that hopes too much is measured, one that is never tried is not."""
_MOST_ROWS = 64
"""Calls with more rows evaluate prompts; they say nothing about guesses."""
_NEWEST_TIME = 0.05
"""Share of the newest call in the time that is expected of the next one with as many rows; of
the first calls each counts the same."""
_FORGOTTEN = 1000
"""Calls after which a time says nothing any more; it is guessed from others then."""
_SWEEP = 100
_SPIKE = 4.0
"""A call that takes longer than so many times the expected one was disturbed."""
_ROW_COST = 0.05
"""What one more row costs, in calls of one row, as long as nothing is known."""
_WORTH = 1.05
"""Guess only if it promises to be so much faster."""
_KEPT = 0.95
"""Share of the older calls with guesses in what such calls keep of their promise; the first ones
count as ten that kept it."""
_FIRST_PROMISE = 10.0
_FIRST_PATIENCE, _LAST_PATIENCE = 64, 4096
"""Steps until the cost of a guess that looks too dear is measured again."""

_BORDERS = (5, 9, 17)
"""Matches are sorted by the tokens that agreed: 3 to 4, 5 to 8, 9 to 16, more."""
_FIRST_CHANCES = (0.4, 0.6, 0.8, 0.9)
"""That one more guess is right, by these sorts, before anything was seen."""
_FIRST_WEIGHT, _MOST_WEIGHT = 2.0, 24.0
"""Of that, and of all that was seen, in guesses: what is older is forgotten."""


class DecodeCosts:
    """What a decode call costs by its number of rows; one for all requests of an engine."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._times: dict[int, int] = {}
        self._newest: dict[int, int] = {}
        self._rows: list[int] = []
        self._calls = 0

    def measured(self, rows: int, seconds: float) -> None:
        """A call with `rows` rows (of all requests together) took `seconds`, sampling included."""
        if not 0 < rows <= _MOST_ROWS or seconds <= 0:
            return
        self._calls += 1
        self._newest[rows] = self._calls
        before = self._seconds.get(rows)
        if before is None:
            bisect.insort(self._rows, rows)
            self._seconds[rows], self._times[rows] = seconds, 1
        else:
            self._times[rows] = times = self._times[rows] + 1
            seconds = min(seconds, _SPIKE * before)
            self._seconds[rows] = before + max(1 / times, _NEWEST_TIME) * (seconds - before)
        if self._calls % _SWEEP == 0:
            self._forget()

    def _forget(self) -> None:
        for rows in list(self._rows):
            if self._newest[rows] <= self._calls - _FORGOTTEN:
                self._rows.remove(rows)
                del self._seconds[rows], self._times[rows], self._newest[rows]

    @property
    def reach(self) -> int:
        """The most rows of which something can be said: not far beyond what was measured."""
        return 2 * (self._rows[-1] if self._rows else 1) + 2

    def of(self, rows: int) -> float:
        """Seconds that a call with `rows` rows will take; 1.0 for one row if none was seen."""
        known = self._seconds.get(rows)
        if known is not None:
            return known
        if not self._rows:
            return 1 + _ROW_COST * (rows - 1)
        index = bisect.bisect(self._rows, rows)
        if 0 < index < len(self._rows):
            low, high = self._rows[index - 1], self._rows[index]
        else:
            low, high = self._rows[0], self._rows[-1]
        first = self._seconds[low]
        if low == high:
            return first * (1 + _ROW_COST * (rows - 1)) / (1 + _ROW_COST * (low - 1))
        slope = max(0.0, (self._seconds[high] - first) / (high - low))
        expected = max(first + slope * (rows - low), first / low)
        if rows > high:
            hoped: float = (rows / high) ** _HOPE
            return min(expected, self._seconds[high] * hoped)
        return expected


class _Chances:
    """That at least 1, 2, ... guesses are right, for one sort of match."""

    def __init__(self, one: float) -> None:
        self._of = [one**count for count in range(1, MOST + 1)]
        self._weight = _FIRST_WEIGHT
        self._update()

    def saw(self, right: int, of: int) -> None:
        """`right` of `of` guesses came true, until the first that did not."""
        self._weight = min(self._weight + 1, _MOST_WEIGHT)
        share = 1 / self._weight
        # Beyond the end of a short guess nothing was learned.
        for index in range(MOST if right < of else of):
            self._of[index] += share * ((index < right) - self._of[index])
        self._update()

    def _update(self) -> None:
        self.tokens = list(itertools.accumulate(self._of, initial=1.0))
        """Tokens that a call with 0, 1, ... guesses is expected to give."""


class Speculation:
    """The guesses of one request: what to guess, and how much of it.

    Args:
        lookup: made from the request.
        costs: of the engine.
    """

    def __init__(self, lookup: PromptLookup, costs: DecodeCosts) -> None:
        self._lookup = lookup
        self._costs = costs
        self._chances = [_Chances(chance) for chance in _FIRST_CHANCES]
        self._pending: list[int] = []
        self._pending_sort = 0
        self._right = 0
        self._patience = _FIRST_PATIENCE
        self._passed = 0
        self._newest_promise = 0.0
        self._promised = self._given = _FIRST_PROMISE

    def guess(self, room: int = MOST, others: int = 0) -> list[int]:
        """The tokens to evaluate behind the newest one in the next call; often none.

        Args:
            room: how many may be guessed at most.
            others: rows of other requests in the same call.
        """
        self._newest_promise = 0.0
        guess = self._lookup.draft(MOST)
        if not guess:
            return []
        sort = bisect.bisect(_BORDERS, self._lookup.matched)
        if not self._pending:
            self._pending, self._pending_sort, self._right = guess, sort, 0
        tokens = self._chances[sort].tokens
        length = self._length(tokens, min(room, len(guess)), others)
        if length:
            self._newest_promise = tokens[length]
        return guess[:length]

    def took(self, tokens: Sequence[int]) -> None:
        """The tokens that the last call gave, right guesses and forced ones included.

        Also if it gave none: a choice among several rows that was too close is made again.
        """
        if self._newest_promise:
            self._promised = _KEPT * self._promised + self._newest_promise
            self._given = _KEPT * self._given + len(tokens)
            self._newest_promise = 0.0
        for token in tokens:
            self._lookup.extend(token)
            if self._pending:
                self._compare(token)

    def _compare(self, token: int) -> None:
        right = self._pending[self._right] == token
        self._right += right
        if not right or self._right == len(self._pending):
            self._chances[self._pending_sort].saw(self._right, len(self._pending))
            self._pending = []

    def _length(self, tokens: Sequence[float], most: int, others: int) -> int:
        """The number of guesses with the most tokens a second, of all requests together."""
        plain = self._costs.of(others + 1) / (others + 1)
        best, cheapest = 0, plain / _WORTH
        # The first guesses are short: on a slow machine a long one could take a second.
        most = max(0, min(most, self._costs.reach - others - 1))
        kept = min(1.0, self._given / self._promised)
        for count in range(1, most + 1):
            rows = others + 1 + count
            if rows > _BLOCK and rows % _BLOCK and count < most:
                continue
            cost = self._costs.of(rows) / (others + kept * tokens[count])
            if cost < cheapest:
                best, cheapest = count, cost
        if best or tokens[most] < 2:
            return best
        # It would often be right and looks too dear: once in a while that is measured.
        self._passed += 1
        if self._passed < self._patience:
            return 0
        self._passed, self._patience = 0, min(2 * self._patience, _LAST_PATIENCE)
        return min(most, 3)
