"""Requests and tokens a minute, and when to try again: schedules on a clock that can be virtual."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import Random
from typing import Protocol

WINDOW = 60.0
"""Seconds in which the limits hold, wherever they are begun to be counted."""


class Clock(Protocol):
    """Time; tests give one that does not pass by itself."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when that much time has passed."""
        ...


class WallClock:
    """The time of this machine."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass
class Grant:
    """A request that was let through. `tokens` may be corrected when they are known."""

    at: float
    tokens: int


class RateLimiter:
    """Lets requests through so that no 60 seconds hold more than the limits.

    A sliding window: exact, where a token bucket lets twice the limit through in its first minute.
    Whoever asks first is let through first. A single request of more tokens than the limit goes
    alone: it could never go otherwise.

    Args:
        requests: a minute; 0: no limit.
        tokens: a minute, prompt and answer together; 0: no limit.
        clock: tells the time and waits.
    """

    def __init__(self, requests: int, tokens: int, clock: Clock) -> None:
        self._requests, self._tokens, self._clock = requests, tokens, clock
        self._granted: deque[Grant] = deque()
        self._turn = asyncio.Lock()

    async def take(self, tokens: int) -> Grant:
        """Wait until a request of so many tokens fits, and count it."""
        async with self._turn:
            while (wait := self._wait(tokens)) > 0:
                await self._clock.sleep(wait)
            grant = Grant(self._clock.now(), tokens)
            if self._requests or self._tokens:
                self._granted.append(grant)
            return grant

    def _wait(self, tokens: int) -> float:
        """Seconds until something leaves the window that has to; 0: it fits now."""
        now = self._clock.now()
        while self._granted and self._granted[0].at + WINDOW <= now:
            self._granted.popleft()
        used = sum(grant.tokens for grant in self._granted) if self._tokens else 0
        full = self._requests and len(self._granted) >= self._requests
        heavy = self._tokens and self._granted and used + tokens > self._tokens
        if not (full or heavy):
            return 0.0
        # Never 0 by rounding: the loop would spin.
        return max(self._granted[0].at + WINDOW - now, 1e-6)


@dataclass(frozen=True)
class Backoff:
    """Seconds until the next try: doubling from `first` to `most`, each between half and whole.

    The chance comes from `seed` and what is tried, so a run waits the same way each time, and
    a thousand requests that failed together do not come back together.
    """

    first: float = 1.0
    most: float = 60.0
    seed: int = 0

    def pause(self, what: str, tries: int, asked: float | None = None) -> float:
        """How long to wait.

        Args:
            what: names the request.
            tries: how often it failed already; 1 at least.
            asked: what the server asked for (Retry-After); never less than that is waited.
        """
        drawn = Random(f"{self.seed}/{what}/{tries}").random()
        whole = min(self.first * 2.0 ** min(tries - 1, 60), self.most)
        if asked is None:
            return whole * (0.5 + drawn / 2)
        return asked + min(whole, max(asked, 1.0)) * drawn / 10


MOST_ASKED = 3600.0
"""A server that asks for more than an hour is asked again after one."""


def retry_after(value: str | None, wall: float | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for: a number, or a date (RFC 9110, 10.2.3).

    Args:
        value: of the header.
        wall: seconds since 1970; now when None.

    Returns:
        None when there is none or it can not be read.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = moment - (time.time() if wall is None else wall)
    if seconds != seconds:
        return None
    return min(max(seconds, 0.0), MOST_ASKED)
