"""Requests and tokens a minute, and pauses, on a clock that passes only when it is waited on."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.teachers.limits import WINDOW, Backoff, RateLimiter, retry_after


class VirtualClock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds
        await asyncio.sleep(0)


def _granted(requests: int, tokens: int, asked: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """When each request is let through, each asked for some time after the one before."""
    clock = VirtualClock()

    async def run() -> list[tuple[float, int]]:
        limiter = RateLimiter(requests, tokens, clock)
        times = []
        for gap, weight in asked:
            clock.time += gap
            times.append(((await limiter.take(weight)).at, weight))
        return times

    return asyncio.run(run())


gaps = st.floats(0, 90, allow_nan=False)
asked = st.lists(st.tuples(gaps, st.integers(1, 120)), max_size=40)


@given(asked, st.integers(0, 6), st.sampled_from([0, 50, 100, 300]))
def test_no_minute_holds_more_than_the_limits(asked, requests, tokens):
    times = _granted(requests, tokens, asked)
    assert [weight for _, weight in times] == [weight for _, weight in asked]
    for start, _ in times:
        held = [weight for at, weight in times if start <= at < start + WINDOW - 1e-6]
        assert not requests or len(held) <= requests
        assert not tokens or len(held) == 1 or sum(held) <= tokens


@given(asked, st.integers(1, 6), st.sampled_from([0, 50, 100, 300]))
def test_nothing_waits_longer_than_it_must(asked, requests, tokens):
    times = _granted(requests, tokens, asked)
    before = 0.0
    for number, ((at, weight), (gap, _)) in enumerate(zip(times, asked, strict=True)):
        if at > before + gap + 1e-3:
            earlier = at - 1e-3
            held = [w for then, w in times[:number] if earlier - WINDOW < then <= earlier]
            assert len(held) >= requests or (tokens and sum(held) + weight > tokens)
        before = at


def test_without_limits_nothing_waits():
    assert _granted(0, 0, [(0.0, 10**9)] * 50) == [(0.0, 10**9)] * 50


def test_tokens_that_were_not_needed_are_given_back():
    clock = VirtualClock()

    async def run() -> float:
        limiter = RateLimiter(0, 1000, clock)
        first = await limiter.take(900)
        first.tokens = 100
        return (await limiter.take(900)).at

    assert asyncio.run(run()) == 0.0


@given(st.integers(1, 2000), st.integers(0, 99), st.text(max_size=5))
def test_pauses_double_up_to_the_most_and_are_the_same_each_time(tries, seed, what):
    backoff = Backoff(1.0, 60.0, seed)
    pause = backoff.pause(what, tries)
    whole = min(2.0 ** (tries - 1), 60.0) if tries < 60 else 60.0
    assert whole / 2 <= pause <= whole
    assert pause == Backoff(1.0, 60.0, seed).pause(what, tries)
    assert 7 <= backoff.pause(what, tries, asked=7.0) <= 7 * 1.1


def test_what_failed_together_does_not_come_back_together():
    backoff = Backoff()
    assert len({backoff.pause(f"t{n}", 3) for n in range(50)}) == 50


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("nan", None),
        ("1e9", 3600.0),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:01:30 GMT", 30.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 0.0),
    ],
)
def test_what_a_server_asks_for(value, seconds):
    assert retry_after(value, wall=60.0) == seconds
