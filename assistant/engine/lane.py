"""The requests of one model: who has a sequence, what goes into the next call, what came out.

`Lane` belongs to the scheduler's thread. A call has rows of one class only. Of the requests of
that class every one that generates has a row; what is left of the call goes to prompts, in turns.
A request whose next tokens another one is just evaluating waits and takes them over.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.engine import pace
from assistant.engine.cache import Cache, Kept, common_prefix
from assistant.engine.context import Outcome
from assistant.engine.lookup import PromptLookup
from assistant.engine.pace import Pace
from assistant.engine.running import Running, Ticket
from assistant.engine.speculation import DecodeCosts, Speculation
from assistant.engine.types import Figures, FinishReason, Priority
from assistant.errors import AssistantError, EngineProblem

if TYPE_CHECKING:
    from assistant.engine.engine import Engine

MAX_RUNNING = 16
"""Requests of one class that are worked on side by side; the others wait."""
UNCERTAIN = 0.1
"""A lead of the best token in logits that is within what rounding does when several rows are
evaluated in one call (measured: docs/log.md). A guess is not decided by less."""
_WORTH_WAITING = 16
"""So many tokens in common make a request wait for another that evaluates them."""
_HEADROOM = 64
"""Free cells for the answer of a request that is to begin, beyond its prompt."""


@dataclass(slots=True)
class Part:
    """The rows of one request in a call."""

    running: Running
    first: int
    """Its first row."""
    tokens: list[int]
    guesses: int = 0
    """How many of the tokens, at the end, are guesses."""
    wants: bool = False
    """The next token is to be sampled from its last row."""


@dataclass(slots=True)
class Call:
    """A planned decode call."""

    lane: Lane
    priority: Priority
    parts: list[Part]
    rows: int
    expected: float
    """Seconds that it will take, as far as is known."""
    started: float = 0.0

    @property
    def abortable(self) -> bool:
        """Whether a more urgent request may stop it."""
        lane = self.lane
        return lane.abortable and not any(part.running.protected for part in self.parts)


class Lane:
    """The requests of one loaded model.

    Args:
        engine: the model.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.context = engine.context
        self.context.clear()
        self.cache = Cache(engine.context)
        self.pace = Pace(engine.context.rows, engine.facts.memory_bytes)
        self.waiting: list[collections.deque[Running]] = [collections.deque() for _ in Priority]
        self.running: list[list[Running]] = [[] for _ in Priority]
        self.abortable = engine.context.abortable and engine.divisible
        self.served_at = 0.0
        """When it last had a call: models of the same urgency take turns."""
        # Set when the next in the queue has to wait for another to end.
        self._blocked = [False for _ in Priority]
        self._batch = engine.context.begin()
        self.costs = DecodeCosts()
        self._totals: collections.Counter[str] = collections.Counter()
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

    def has(self, priority: Priority) -> bool:
        """Whether a class has requests."""
        return bool(self.running[priority] or self.waiting[priority])

    # Before a call.

    def plan(self, priority: Priority) -> Call | None:
        """The next call for a class; None when none of its requests can go on now."""
        self._admit(priority)
        turn = self.running[priority]
        generating = [one for one in turn if one.pending == 1 and not one.evaluating]
        evaluating = [one for one in turn if one.pending > 1 or one.evaluating]
        self._batch = batch = self.context.begin()
        parts: list[Part] = []
        for one in generating[: self.context.outputs]:
            self._put(parts, one, 1, self._guess(one, len(generating)))
        if evaluating:
            self._put_prompts(parts, evaluating, self._prompt_rows(batch.count))
            # Who was first is last in the next call.
            turn.append(turn.pop(turn.index(evaluating[0])))
        if not parts:
            return None
        return Call(self, priority, parts, batch.count, self.pace.expected(batch.count))

    def _guess(self, one: Running, generating: int) -> list[int]:
        if one.speculation is None or one.plain_next:
            one.plain_next = False
            return []
        room = min(self.context.outputs // generating, one.left) - 1
        return one.speculation.guess(room, others=generating - 1)

    def _prompt_rows(self, taken: int) -> int:
        """Rows for prompts in a call that has some already; a few even if there are many."""
        seconds = pace.SHARED_SECONDS if taken else pace.ALONE_SECONDS
        if not self.abortable:
            seconds = min(seconds, pace.UNABORTABLE_SECONDS)
        within = max(pace.LEAST_ROWS, self.pace.rows_within(seconds) - taken)
        return min(within, self.context.rows - taken)

    def _put_prompts(self, parts: list[Part], evaluating: list[Running], rows: int) -> None:
        taken: list[Running] = []
        for one in evaluating:
            if rows <= 0 or len(parts) >= self.context.outputs:
                return
            if one.kept is None:  # interrupted a moment ago
                continue
            self._adopt(one)
            if any(_shared_ahead(one, other) for other in taken):
                continue
            count = one.pending
            if count > rows:
                count = pace.aligned(one.done, rows)
                if count > rows:
                    continue
            if self._put(parts, one, count):
                taken.append(one)
                rows -= count

    def _put(self, parts: list[Part], one: Running, count: int, guess: Sequence[int] = ()) -> bool:
        """Add rows of a request to the call, if there is room in memory for them."""
        rows = count + len(guess)
        if one.kept is None or not self._room(self._batch.count + rows, one, parts):
            return False
        done = one.done
        tokens = one.known[done : done + count].tolist()
        wants = done + count == len(one.known)
        tokens.extend(guess)
        outputs = int(wants) + len(guess)
        first = self._batch.add(one.kept.id, done, tokens, outputs)
        parts.append(Part(one, first, tokens, len(guess), wants))
        return True

    def _adopt(self, one: Running) -> None:
        """Take over what others have evaluated of the same beginning."""
        assert one.kept is not None
        limit = len(one.known) - 1
        best, length = None, one.done
        for other in self._in_work():
            if other is one or other.kept is None or other.done <= length:
                continue
            common = min(common_prefix(one.known, other.kept.tokens), limit)
            if common > length and self.cache.can_copy(other.kept, one.kept, common):
                best, length = other.kept, common
        if best is not None:
            if one.evaluating:
                one.cached += length - one.done
                self._totals["cached"] += length - one.done
            self.cache.copy(best, one.kept, length)
            one.progress()

    def _in_work(self) -> Iterable[Running]:
        for group in self.running:
            yield from group

    def _admit(self, priority: Priority) -> None:
        """Give waiting requests of a class a sequence, while there is room."""
        waiting, running = self.waiting[priority], self.running[priority]
        while waiting and len(running) < MAX_RUNNING and not self._blocked[priority]:
            one = waiting[0]
            if one.finished is None and not self._begin(one):
                self._blocked[priority] = bool(running)
                return
            waiting.popleft()
            if one.finished is None:
                running.append(one)

    def _begin(self, one: Running) -> bool:
        """Give a request a sequence; False when it has to wait for another to end."""
        ahead = max((common_prefix(one.known, other.known) for other in self._in_work()), default=0)
        source, length = self.cache.longest(one.known, len(one.known) - 1)
        answer = min(_HEADROOM, one.request.max_tokens)
        needed = len(one.known) - max(ahead, length) + answer
        while not self.cache.make_room(min(needed, self.context.cells), besides=source):
            victim = self._victim(above=one.priority)
            if victim is None and self._working:
                return False
            if victim is None:
                break  # it is alone: what is parked goes as it is needed
            self._interrupt(victim)
        kept = self.cache.open(one.known)
        while kept is None:
            victim = self._victim(above=one.priority)
            if victim is None:
                return False
            self._interrupt(victim)
            kept = self.cache.open(one.known)
        if not one.ticket.claim() and not one.begun:
            self.cache.close(kept)
            one.end(FinishReason.CANCELLED)
            one.close()
            return True
        if one.evaluating:
            one.cached = len(kept)
            self._totals["cached"] += len(kept)
        one.begin(kept)
        return True

    @property
    def _working(self) -> bool:
        return any(self.running)

    def _room(self, cells: int, one: Running, parts: list[Part]) -> bool:
        """See to it that so many cells are free; False: this request has to wait."""
        while not self.cache.make_room(cells):
            victim = self._victim(above=one.priority) or self._youngest_peer(one, parts)
            if victim is None:
                return False
            self._interrupt(victim)
        return True

    def _victim(self, above: Priority) -> Running | None:
        """The youngest request of the least urgent class below `above`."""
        for priority in reversed(Priority):
            if priority > above and self.running[priority]:
                return _youngest(self.running[priority])
        return None

    def _youngest_peer(self, one: Running, parts: list[Part]) -> Running | None:
        """A request of the same class that came later and has no rows in this call."""
        planned = {id(part.running) for part in parts}
        later = [
            other
            for other in self.running[one.priority]
            if id(other) not in planned and other.ticket.submitted > one.ticket.submitted
        ]
        return _youngest(later) if later else None

    def _interrupt(self, one: Running) -> None:
        """Give up the sequence of a request; it waits, and is evaluated again later."""
        assert one.kept is not None
        self.running[one.priority].remove(one)
        self.cache.close(one.kept)
        one.kept = None
        self.waiting[one.priority].appendleft(one)
        self._blocked = [False for _ in Priority]

    # After a call.

    def done(self, call: Call, outcome: Outcome) -> None:
        """Take in what a call has brought."""
        seconds = time.perf_counter() - call.started
        self._totals["calls"] += 1
        if outcome is Outcome.ABORTED:
            self._totals["aborted"] += 1
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
            self._totals["evaluated"] += len(part.tokens)
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
        self._totals["generated"] += one.count - count
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
            self._totals["drafted"] += guesses
            self._totals["accepted"] += right
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
            self._interrupt(call.parts[-1].running)
            return
        self.fail(call.parts[0].running, EngineProblem("The context is full."))

    def fail(self, one: Running, error: AssistantError) -> None:
        """End a request with an error."""
        self._leave(one, park=False)
        one.ticket.finish(error)

    def sweep(self, stopping: bool = False) -> list[Running]:
        """Let go of all requests that have ended or were cancelled; returns those that began."""
        left = []
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
            self._blocked = [False for _ in Priority]
        one.close()

    def figures(self) -> Figures:
        """What was done, and what is held."""
        totals = self._totals
        return Figures(
            running=sum(map(len, self.running)),
            waiting=sum(map(len, self.waiting)),
            cells=self.context.cells,
            cells_used=self.cache.used,
            parked=self.cache.parked,
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


def _shared_ahead(one: Running, other: Running) -> bool:
    """Whether `other`, which is in this call, evaluates the very next tokens of `one`."""
    if other.done != one.done:
        return False
    return common_prefix(one.known, other.known) - one.done >= _WORTH_WAITING


def _youngest(among: list[Running]) -> Running:
    return max(among, key=lambda one: one.ticket.submitted)
