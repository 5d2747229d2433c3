"""The best of several answers: sampled one after another, each checked while the next is written.

The first one is what the model would have said anyway (greedy), the others are drawn with seeds
that follow from the request's. Once one passes, no more are written. Otherwise the best one is
chosen by this order, which `ORDER` states:

    pass, parsed, not checked, sandbox unavailable, wrong, error, timeout, memory, output limit,
    crash, protocol violation, and last what has no code

Among those that only parse, the largest group that behaves alike comes first
(`assistant.checks.agreement`); among equals the one that was written first.

Checks run one at a time and in the order of the candidates, so that the same request chooses the
same candidate on a slow machine and on a fast one. The verdict on the chosen candidate is the
last one, and says how many passed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from assistant.checks.result import CheckResult
from assistant.errors import RequestProblem
from assistant.events import Done, Event, Failed, Outcome, Verdict
from assistant.generation import AnswerOptions, Connection, Generation, PromptProgress
from assistant.judging import judged
from assistant.tasks import Task, find_signature

if TYPE_CHECKING:
    from assistant.checks.agreement import Behaviour, Group, Questions
    from assistant.client import ModelInfo

ORDER = (
    *(Outcome.PASS, Outcome.PARSED, Outcome.NOT_CHECKED, Outcome.SANDBOX_UNAVAILABLE),
    *(Outcome.WRONG, Outcome.ERROR, Outcome.TIMEOUT, Outcome.MEMORY, Outcome.OUTPUT_LIMIT),
    *(Outcome.CRASH, Outcome.PROTOCOL_VIOLATION),
)
"""From the best outcome to the worst."""


@dataclass(slots=True)
class Attempt:
    """One of the answers, and what became of it."""

    generation: Generation
    result: CheckResult | None = None
    """None: it holds no code, or was not judged before another one passed."""
    place: int = 0
    """Where its group stands among those that only parse; 0 is the best."""
    told: bool = False

    @property
    def order(self) -> tuple[int, int, int]:
        """The smaller, the better."""
        result = self.result
        rank = ORDER.index(result.outcome) if result is not None else len(ORDER)
        return rank, self.place, self.generation.attempt

    def verdict(self, more: str = "") -> Verdict:
        """The event that tells the result."""
        assert self.result is not None
        self.told = True
        detail = "; ".join(part for part in (self.result.detail, more) if part)
        return Verdict(self.generation.candidate, self.result.outcome, self.result.layer, detail)

    def has(self, outcome: Outcome) -> bool:
        """True when it was judged so."""
        return self.result is not None and self.result.outcome is outcome


_Told = Event | PromptProgress


@dataclass(slots=True)
class Several:
    """The answers to one request; used by `assistant.answer.answer`."""

    task: Task
    options: AnswerOptions
    attempts: list[Attempt] = field(default_factory=list)
    """Those that were written to their end."""
    current: Generation | None = None
    chosen: Attempt | None = None

    @property
    def candidate(self) -> int:
        """The number that an error is told with."""
        return self.current.candidate if self.current is not None else 0

    async def events(self, connection: Connection) -> AsyncGenerator[_Told, None]:
        """Everything that is generated, and a verdict for each candidate that was judged."""
        info = await connection.model_info()
        outbox: asyncio.Queue[_Told | Attempt | Exception | None] = asyncio.Queue()
        written: asyncio.Queue[Attempt | None] = asyncio.Queue()
        workers = [
            asyncio.create_task(_guarded(self._write(connection, info, outbox, written), outbox)),
            asyncio.create_task(_guarded(self._judge(written, outbox), outbox)),
        ]
        try:
            while (item := await outbox.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                if not isinstance(item, Attempt):
                    yield item
                    continue
                for verdict in self._decided():
                    yield verdict
                if item.has(Outcome.PASS):
                    break
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        async for verdict in self._conclusion():
            yield verdict

    async def _write(
        self,
        connection: Connection,
        info: ModelInfo,
        outbox: asyncio.Queue[_Told | Attempt | Exception | None],
        written: asyncio.Queue[Attempt | None],
    ) -> None:
        """Generate one answer after the other."""
        for number in range(1, self.options.candidates + 1):
            before = self.current
            first = before.candidate + 1 if before is not None else 0
            replaces = before.candidate if before is not None else None
            generation = Generation(self.task, self.options, number, first, replaces)
            self.current = generation
            async with aclosing(generation.events(connection, info)) as events:
                async for event in events:
                    outbox.put_nowait(event)
            if generation.finished is not None and generation.finished.reason == "cancelled":
                raise RequestProblem("The request was cancelled.")
            attempt = Attempt(generation)
            self.attempts.append(attempt)
            written.put_nowait(attempt)
        written.put_nowait(None)

    async def _judge(
        self,
        written: asyncio.Queue[Attempt | None],
        outbox: asyncio.Queue[_Told | Attempt | Exception | None],
    ) -> None:
        """Check what was written; the same code twice has the same verdict."""
        known: dict[tuple[str, str], CheckResult] = {}
        while (attempt := await written.get()) is not None:
            generation = attempt.generation
            if generation.refusal() is not None:
                continue
            key = generation.source, generation.cut_off()
            if key not in known:
                known[key] = await judged(generation)
            attempt.result = known[key]
            outbox.put_nowait(attempt)
            if attempt.has(Outcome.PASS):
                return  # those behind it count for nothing, however quickly they were written
        outbox.put_nowait(None)

    def _best(self) -> Attempt | None:
        judged_ones = [one for one in self.attempts if one.result is not None]
        return min(judged_ones, key=lambda one: one.order, default=None)

    def _decided(self) -> list[Verdict]:
        """Verdicts that nothing can change any more: of those that are behind the best one."""
        best = self._best()
        return [
            one.verdict()
            for one in self.attempts
            if one.result is not None and not (one.told or one is best or one.has(Outcome.PARSED))
        ]

    async def _conclusion(self) -> AsyncGenerator[Verdict, None]:
        """Choose, and tell the verdicts that were held back, that on the chosen one last."""
        parsed = [one for one in self.attempts if one.has(Outcome.PARSED)]
        best = self._best()
        summary = self._count()
        if best is not None and best.has(Outcome.PARSED) and len(parsed) > 1:
            summary = await self._compare(parsed)
        self.chosen = chosen = self._best()
        for one in self.attempts:
            if one.result is not None and not (one.told or one is chosen):
                yield one.verdict()
        if chosen is not None:
            yield chosen.verdict(summary)

    def _count(self) -> str:
        """How many passed, where something ran that could pass."""
        ran = [one for one in self.attempts if one.result is not None]
        passed = sum(one.has(Outcome.PASS) for one in ran)
        asked = self.options.candidates
        if not passed:
            failed = any(one.result is not None and one.result.outcome.failed for one in ran)
            return f"none of {asked} candidates passed" if failed else ""
        rest = f"; the rest of {asked} was not needed" if len(ran) < asked else ""
        return f"{passed} of {len(ran)} candidate{'s' * (len(ran) != 1)} passed{rest}"

    async def _compare(self, parsed: list[Attempt]) -> str:
        """Put those that only parse into the order of their groups, and say what was seen."""
        from assistant.checks.agreement import groups_of, questions_for
        from assistant.sandbox import SandboxUnavailable

        sources = [one.generation.source for one in parsed]
        signature = find_signature(self.task.request)
        questions = questions_for(sources, self.task.request, signature)
        if questions is None:
            return f"the {len(parsed)} candidates were not compared: no inputs could be made"
        try:
            behaviours = await _behaviours(sources, questions)
        except SandboxUnavailable as error:
            return f"the {len(parsed)} candidates were not compared: {error.message}"
        groups = groups_of(behaviours)
        for place, group in enumerate(groups):
            for member in group.members:
                parsed[member].place = place
                layer = behaviours[member].layer
                result = parsed[member].result
                assert result is not None
                parsed[member].result = replace(result, layer=layer)
        return _agreement(groups, len(self.attempts), len(questions.inputs))

    def terminal(self) -> Done | Failed:
        """The last event, once everything has ended without an error."""
        if self.chosen is None:
            first = self.attempts[0].generation
            return Failed(first.candidate, first.refusal() or "No candidate was written.")
        # The figures are those of the candidate that is used.
        return Done(self.chosen.generation.candidate, self.chosen.generation.stats())


async def _guarded(
    work: Coroutine[object, object, None],
    outbox: asyncio.Queue[_Told | Attempt | Exception | None],
) -> None:
    """Run `work`; what goes wrong in it is raised where the outbox is read."""
    try:
        await work
    except Exception as error:
        outbox.put_nowait(error)


async def _behaviours(sources: list[str], questions: Questions) -> list[Behaviour]:
    """What each of the answers does; equal code is run once.

    One at a time: calls that run beside others would reach their limits sooner.
    """
    from assistant.checks.agreement import behaviour_of

    stop = threading.Event()
    known: dict[str, Behaviour] = {}
    try:
        for source in sources:
            if source not in known:
                known[source] = await asyncio.to_thread(behaviour_of, source, questions, stop=stop)
    finally:
        stop.set()
    return [known[source] for source in sources]


def _agreement(groups: list[Group], candidates: int, inputs: int) -> str:
    best, *others = groups
    on = f"on {inputs} input{'s' * (inputs != 1)}"
    if not best.says_something:
        return f"no candidate gives a value {on}"
    size = len(best.members)
    if size == 1:
        return f"no two of {candidates} candidates behave alike {on}"
    rivals = sum(len(one.members) == size and one.says_something for one in others)
    tie = f", as many as in {rivals} other group{'s' * (rivals != 1)}" if rivals else ""
    return f"{size} of {candidates} candidates behave alike {on}{tie} (agreement is no pass)"
