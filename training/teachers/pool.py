"""Many calls at once, with patience: limits, waiting, sending again, keeping what came.

What goes wrong, and what it costs:

    too many requests (429)     waiting, for `busy_minutes` in all; nothing that is finished
    no connection               the same for `away_minutes`, once the server has ever answered
    a server's error, half an   the call is sent again, `tries` times; then this sample failed
    answer, a lost connection
    the request is refused      this sample failed
    another model, a wrong key  the run stops
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from assistant.errors import EndpointProblem
from training.teachers.calls import Answer, Call, Teacher
from training.teachers.dialogue import Dialogue, Failed
from training.teachers.limits import Backoff, Clock, RateLimiter
from training.teachers.meter import BudgetReached, Meter, prompt_tokens
from training.teachers.protocol import Backend, Broken, Busy, Refused
from training.teachers.records import Records

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
    """How long something that does not work is tried again."""

    tries: int = 6
    busy_minutes: float = 720.0
    away_minutes: float = 15.0
    say_seconds: float = 300.0
    """Seconds between two lines about waiting."""


class Pool:
    """Answers calls, from the records or by the backend. For one event loop.

    Args:
        backend: sends.
        teacher: whose answers they are.
        records: where answers are kept.
        meter: counts them.
        limiter: lets them through.
        backoff: how long to wait.
        patience: how often.
        clock: on which all of this happens.
        say: shows a line to the user.
    """

    def __init__(
        self,
        backend: Backend,
        teacher: Teacher,
        records: Records,
        *,
        meter: Meter,
        limiter: RateLimiter,
        backoff: Backoff,
        patience: Patience,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self._backend, self._teacher, self._records = backend, teacher, records
        self._meter, self._limiter, self._backoff = meter, limiter, backoff
        self._patience, self._clock, self._say = patience, clock, say
        self._answered = False
        self._open_at = self._quiet_until = float("-inf")
        self._running = 0
        self._freed = asyncio.Event()
        self.sent = 0
        """Requests that went out, repeats included."""

    async def answer(self, call: Call) -> Answer:
        """The answer to a call; on return it is on the disk.

        Raises:
            BudgetReached: it could cost more than is left.
            Failed: it is not to be had for this call.
            EndpointProblem: it is not to be had at all.
        """
        known = self._records.get(call, self._teacher)
        if known is not None:
            self._meter.count(known.prompt_tokens, known.completion_tokens)
            return known
        if (wasted := self._records.cut_off(call, self._teacher)) is not None:
            self._meter.count(wasted.prompt_tokens, wasted.completion_tokens)
            if self._went_on(call):
                return wasted
        reserved = await self._reserve(call)
        self._running += 1
        try:
            answer = await self._patiently(call)
            self._records.put(call, self._teacher, answer)
            self._meter.count(answer.prompt_tokens, answer.completion_tokens)
        finally:
            self._meter.release(reserved)
            self._running -= 1
            self._freed.set()
        return answer

    def _went_on(self, call: Call) -> bool:
        """Whether the attempt behind one that was cut off is on record: then it is not sent again.

        Behind a cut answer the dialogue begins afresh, with the next seed.
        """
        later = replace(call, messages=call.messages[:2])
        while True:
            seed = later.sampling.seed + 1
            later = replace(
                later, attempt=later.attempt + 1, sampling=replace(later.sampling, seed=seed)
            )
            if self._records.get(later, self._teacher) is not None:
                return True
            if self._records.cut_off(later, self._teacher) is None:
                return False

    async def _reserve(self, call: Call) -> float:
        """What the call may cost at most; waits while running calls hold back what they may not
        need."""
        prompt = prompt_tokens(call.characters)
        while True:
            try:
                return self._meter.reserve(prompt, call.sampling.max_tokens)
            except BudgetReached:
                if not self._running:
                    raise
                self._freed.clear()
                await self._freed.wait()

    async def _patiently(self, call: Call) -> Answer:
        name = f"{call.task}/{call.turn}/{call.sample}/{call.attempt}"
        began, lost, waited = self._clock.now(), 0, 0
        while True:
            try:
                return await self._once(call)
            except Refused as refused:
                raise Failed(str(refused)) from refused
            except Busy as busy:
                waited += 1
                pause = self._backoff.pause(name, waited, busy.after)
                # All wait: a server that has refused one would refuse the others too.
                self._open_at = max(self._open_at, self._clock.now() + (busy.after or 0.0))
                self._patient(began, self._patience.busy_minutes, pause, str(busy))
            except Broken as broken:
                lost += 1
                pause = self._backoff.pause(name, lost)
                if broken.unreachable and self._answered:
                    self._patient(began, self._patience.away_minutes, pause, str(broken))
                elif lost >= self._patience.tries:
                    raise self._given_up(broken, lost) from broken
            await self._clock.sleep(pause)

    async def _once(self, call: Call) -> Answer:
        expected = prompt_tokens(call.characters) + call.sampling.max_tokens
        while (closed := self._open_at - self._clock.now()) > 0:
            await self._clock.sleep(closed)
        grant = await self._limiter.take(expected)
        self.sent += 1
        answer = await self._backend.send(call)
        self._answered = True
        grant.tokens = answer.prompt_tokens + answer.completion_tokens
        return answer

    def _patient(self, began: float, minutes: float, pause: float, reason: str) -> None:
        """Say that there is a wait, now and then.

        Raises:
            EndpointProblem: it has been too long.
        """
        now = self._clock.now()
        if now - began > 60 * minutes:
            raise EndpointProblem(
                f"no answer for {minutes:g} minutes ({reason})",
                hint="what was answered is kept; go on later with the same command and --resume",
            )
        if now >= self._quiet_until:
            self._quiet_until = now + self._patience.say_seconds
            self._say(f"waiting, next try in {pause:.0f} s ({reason}); Ctrl-C loses nothing")

    def _given_up(self, broken: Broken, lost: int) -> Exception:
        if broken.unreachable:
            return EndpointProblem(
                f"no connection in {lost} tries ({broken})",
                hint="start the server, or correct contexts.teacher",
            )
        return Failed(f"lost {lost} times; the last time: {broken}")


async def drive(dialogue: Dialogue[Result], answer: Callable[[Call], Awaitable[Answer]]) -> Result:
    """Lead a dialogue to its end.

    Raises:
        Failed: nothing was accepted; and whatever `answer` raises.
    """
    try:
        call = next(dialogue)
        while True:
            call = dialogue.send(await answer(call))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        dialogue.close()


async def each(
    items: Iterable[Item], work: Callable[[Item], Awaitable[None]], at_once: int
) -> None:
    """Do `work` for every item, `at_once` of them at a time, begun in their order.

    The first error ends it: work under way is cancelled, waited for, and the error raised.
    """
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    workers = [asyncio.create_task(worker()) for _ in range(max(at_once, 1))]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
        for one in workers:
            with suppress(BaseException):
                await one
