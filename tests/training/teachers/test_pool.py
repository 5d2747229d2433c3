"""Calls that wait for the same server, on a clock that passes when nobody has anything to do."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

import pytest

from training.teachers.calls import Answer, Call, Sampling, Teacher
from training.teachers.limits import Backoff, RateLimiter
from training.teachers.meter import Meter
from training.teachers.pool import Patience, Pool, each
from training.teachers.protocol import Busy
from training.teachers.records import Records


class SharedClock:
    """All who sleep are woken in the order of their times."""

    def __init__(self) -> None:
        self.time = 0.0
        self._number = count()
        self._asleep: list[tuple[float, int, asyncio.Event]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heapq.heappush(self._asleep, (self.time + seconds, next(self._number), woken))
        await woken.wait()

    async def run(self) -> None:
        while True:
            for _ in range(50):
                await asyncio.sleep(0)
            if self._asleep:
                self.time, _, woken = heapq.heappop(self._asleep)
                woken.set()


class Server:
    """Refuses its second request, and answers all others."""

    def __init__(self, clock: SharedClock) -> None:
        self.times: list[float] = []
        self._clock = clock

    async def send(self, call: Call) -> Answer:
        self.times.append(self._clock.now())
        refused = len(self.times) == 2
        await self._clock.sleep(1.0)
        if refused:
            raise Busy("slow down", 700.0)
        return Answer("text", "stop", 10, 10)

    async def aclose(self) -> None:
        return None


def _asked(tmp_path, work, at_once: int) -> Server:
    clock = SharedClock()
    server = Server(clock)
    records = Records(tmp_path / "r.jsonl")

    async def run() -> None:
        pool = Pool(
            server,
            Teacher("big"),
            records,
            meter=Meter(),
            limiter=RateLimiter(0, 0, clock),
            backoff=Backoff(),
            patience=Patience(),
            clock=clock,
            say=lambda line: None,
        )
        calls = [
            Call(f"t{n}", "writer", ({"role": "user", "content": "x"},), Sampling())
            for n in range(20)
        ]
        time = asyncio.create_task(clock.run())
        try:
            await each(calls, lambda call: work(pool, call), at_once)
        finally:
            time.cancel()

    try:
        asyncio.run(run())
    finally:
        records.close()
    return server


def test_all_wait_when_one_is_told_to(tmp_path):
    async def work(pool: Pool, call: Call) -> None:
        await pool.answer(call)

    server = _asked(tmp_path, work, 4)
    assert len(server.times) == 21
    # Those that were under way when the server had enough, and perhaps their successors.
    early = [time for time in server.times if time < 701]
    assert 4 <= len(early) <= 8
    assert min(time for time in server.times if time > 2) >= 701


def test_the_first_error_ends_the_others_and_is_raised(tmp_path):
    ended = []

    async def work(pool: Pool, call: Call) -> None:
        try:
            await pool.answer(call)
            if call.task == "t0":
                raise ValueError("the first")
        finally:
            ended.append(call.task)

    with pytest.raises(ValueError, match="the first"):
        _asked(tmp_path, work, 3)
    assert len(ended) <= 6
