"""The requests of one model, and what is made of a decode call's outcome.

Who gets a sequence is in `admission.py`, what goes into a call in `planning.py`. All of it belongs
to the scheduler's thread.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from assistant.engine.admission import interrupt
from assistant.engine.cache import Cache, Kept
from assistant.engine.call import Call, Part
from assistant.engine.context import Outcome
from assistant.engine.lookup import PromptLookup
from assistant.engine.pace import Pace
from assistant.engine.running import Running, Ticket
from assistant.engine.speculation import DecodeCosts, Speculation
from assistant.engine.types import Figures, FinishReason, Priority
from assistant.errors import AssistantError, EngineProblem

if TYPE_CHECKING:
    from assistant.engine.engine import Engine

UNCERTAIN = 0.2
"""A lead of the best token in logits that is within what rounding does when several rows are
evaluated in one call: at the shape of a 1B model it moves by up to 0.094 (docs/log.md). A guess
is not decided by less."""


class Lane:
    """The requests of one loaded model.

    Args:
        engine: the model.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.context = engine.context
        self.context.clear()
        self.cache = Cache(engine.context, engine.stash_bytes)
        self.pace = Pace(engine.context.rows, engine.facts.memory_bytes)
        self.waiting: list[collections.deque[Running]] = [collections.deque() for _ in Priority]
        self.running: list[list[Running]] = [[] for _ in Priority]
        self.abortable = engine.context.abortable and engine.divisible
        self.ended = False
        """A request has ended since `sweep`."""
        self.served_at = 0.0
        """When it last had a call: models of the same urgency take turns."""
        # Set when the next in the queue has to wait for another to end.
        self.blocked = [False for _ in Priority]
        self.batch = engine.context.begin()
        self.costs = DecodeCosts()
        self.totals: collections.Counter[str] = collections.Counter()
        self._seconds = [0.0, 0.0]

    # Who is there.

    def add(self, ticket: Ticket) -> None:
        """Take a request in; one of the same source that is older ends."""
        try:
            running = self.engine.start(ticket)
        except AssistantError as error:
            if ticket.claim():
                ticket.finish(error)
            return
        lookup = ticket.request.lookup
        if lookup is not None and self.engine.divisible:
            text = PromptLookup(ticket.request.tokens, lookup)
            running.speculation = Speculation(text, self.costs)
        self.waiting[ticket.priority].append(running)

    def everyone(self) -> Iterable[Running]:
        """All requests, waiting or in work."""
        for priority in Priority:
            yield from self.running[priority]
            yield from self.waiting[priority]

    @property
    def count(self) -> int:
        """Requests, waiting or in work."""
        return sum(map(len, self.running)) + sum(map(len, self.waiting))

    def has(self, priority: Priority) -> bool:
        """Whether a class has requests."""
        return bool(self.running[priority] or self.waiting[priority])

    # After a call.

    def done(self, call: Call, outcome: Outcome) -> None:
        """Take in what a call has brought."""
        seconds = time.perf_counter() - call.started
        self.totals["calls"] += 1
        if outcome is Outcome.ABORTED:
            self.totals["aborted"] += 1
            for part in call.parts:
                part.running.protected = True
                if not self.engine.divisible:
                    self._restart(part.running)
            return
        if outcome is Outcome.FULL:
            self._full(call)
            return
        self.pace.observe(call.rows, seconds)
        plain = not any(part.running.evaluating for part in call.parts)
        for part in call.parts:
            self._advance(part, seconds * len(part.tokens) / call.rows)
        if plain:
            self.costs.measured(call.rows, time.perf_counter() - call.started)

    def _advance(self, part: Part, seconds: float) -> None:
        one = part.running
        assert one.kept is not None
        one.protected = False
        self.cache.append(one.kept, part.tokens)
        evaluating = one.evaluating
        self._seconds[not evaluating] += seconds
        if evaluating:
            self.totals["evaluated"] += len(part.tokens)
            one.progress()
        if not part.wants or one.ticket.cancel.cancelled:
            return
        if evaluating:
            self.cache.snapshot(one.kept)
        before, count = len(one.known), one.count
        try:
            self._sample(part, one, one.kept)
        except AssistantError as error:
            self.fail(one, error)
        self.totals["generated"] += one.count - count
        self.ended = self.ended or one.finished is not None
        if one.speculation is not None:
            one.speculation.took(one.known[before:])

    def _sample(self, part: Part, one: Running, kept: Kept) -> None:
        """Choose the next token; and, as long as the guesses were right, the ones after it."""
        if one.request.max_tokens == 0:
            one.end(FinishReason.LENGTH)
            return
        guesses = part.guesses
        row = part.first + len(part.tokens) - guesses - 1
        length = len(kept) - guesses
        context = self.context.pointer
        right = 0
        while True:
            token = one.sampler.pick(context, row + right, want_margin=guesses > 0)
            if guesses and one.sampler.margin < UNCERTAIN:
                # Alone in its call the last token might be followed by another one.
                one.plain_next = True
                length -= 1
                break
            goes_on = one.take(token, self.engine.probability(one, row + right, token))
            if not goes_on or right == guesses or token != part.tokens[right - guesses]:
                break
            right += 1
            length += 1
        if guesses:
            one.drafted += guesses
            one.accepted += right
            self.totals["drafted"] += guesses
            self.totals["accepted"] += right
            self.cache.truncate(kept, length)

    def _restart(self, one: Running) -> None:
        """The state of an aborted call can not be taken back: evaluate again."""
        assert one.kept is not None
        self.cache.truncate(one.kept, 0)

    def _full(self, call: Call) -> None:
        """No slot although the count said so: make room, or the last request gives way."""
        if self.cache.parked:
            self.cache.forget_parked()
            return
        if len(call.parts) > 1:
            interrupt(self, call.parts[-1].running)
            return
        self.fail(call.parts[0].running, EngineProblem("The context is full."))

    def fail(self, one: Running, error: AssistantError) -> None:
        """End a request with an error."""
        self._leave(one, park=False)
        one.ticket.finish(error)

    def sweep(self, stopping: bool = False) -> list[Running]:
        """Let go of all requests that have ended or were cancelled; returns those that began."""
        left = []
        self.ended = False
        for one in list(self.everyone()):
            if one.finished is None and (stopping or one.ticket.cancel.cancelled):
                one.end(FinishReason.CANCELLED)
            if one.finished is not None:
                self._leave(one, park=True)
                if one.begun or one.ticket.claim():
                    left.append(one)
        return left

    def _leave(self, one: Running, *, park: bool) -> None:
        kept = one.kept
        if kept is None:
            self.waiting[one.priority].remove(one)
        else:
            self.running[one.priority].remove(one)
            (self.cache.park if park else self.cache.close)(kept)
            one.kept = None
        # Also if it only waited: the next in the queue may fit where this one did not.
        self.blocked = [False for _ in Priority]
        one.close()

    def figures(self) -> Figures:
        """What was done, and what is held."""
        totals = self.totals
        return Figures(
            running=sum(map(len, self.running)),
            waiting=sum(map(len, self.waiting)),
            cells=self.context.cells,
            cells_used=self.cache.used,
            parked=self.cache.parked + len(self.cache.stash),
            stashed_bytes=self.cache.stash.bytes,
            prompt_tokens=totals["evaluated"],
            cached_tokens=totals["cached"],
            generated_tokens=totals["generated"],
            decode_calls=totals["calls"],
            aborted_calls=totals["aborted"],
            drafted=totals["drafted"],
            accepted=totals["accepted"],
            prompt_seconds=self._seconds[0],
            generated_seconds=self._seconds[1],
            rollback=self.context.rollback.value,
        )
