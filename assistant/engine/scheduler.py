"""Who is served next: one thread decodes for all requests to all loaded models.

    submit -> waiting -> a sequence -> calls (prompt, then a token at a time) -> parked

Every call goes to the most urgent class that has work. A call that is under way when a more urgent
request arrives is aborted, where the backend can and it would go on for long; what was aborted is
not aborted a second time. When all requests of a call are cancelled it is aborted, too.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from assistant.engine.call import Call
from assistant.engine.context import Outcome
from assistant.engine.lane import Lane
from assistant.engine.planning import plan
from assistant.engine.running import Ticket, never_started
from assistant.engine.types import Figures, Finished, Priority
from assistant.errors import AssistantError, EngineProblem

if TYPE_CHECKING:
    from assistant.engine.engine import Engine

_WORTH_ABORTING = 0.1
"""Seconds that a call has to go on at least for an abort to be worth the work that is lost."""
_LONG = 1.0
"""... for a request that is no more urgent. Only calls of a request that was alone are longer."""
_STALLED_SECONDS = 0.05

log = logging.getLogger(__name__)


class Scheduler:
    """Serves requests to the loaded models. `submit`, `cancel` and `stop` are for any thread.

    Args:
        on_end: called before the last output of each request goes out.
    """

    def __init__(
        self, on_end: Callable[[Finished | AssistantError], None] = lambda _: None
    ) -> None:
        self.heartbeat = time.monotonic()
        """When a call last began or ended."""
        self._on_end = on_end
        self._lanes: dict[Engine, Lane] = {}
        self._arrived: collections.deque[tuple[Engine, Ticket]] = collections.deque()
        self._inline: dict[str, Ticket] = {}
        self._call: Call | None = None
        self._stopping = False
        self._cancelled = False
        """Somebody cancelled since the requests were last looked through."""
        self._changed = threading.Condition()

    # For any thread.

    def submit(self, engine: Engine, ticket: Ticket) -> None:
        """Queue a request; of inline requests of the same source only the newest is served."""
        older = None
        ticket.on_end = self._ended
        with self._changed:
            if ticket.priority is Priority.INLINE and ticket.source:
                older = self._inline.get(ticket.source)
                if older is not None and older.arrived > ticket.arrived:
                    older = ticket  # it was longer on its way
                else:
                    self._inline[ticket.source] = ticket
            if not self._stopping:
                self._arrived.append((engine, ticket))
            call = self._call
            if call is not None and worth_aborting(call, ticket):
                call.lane.context.abort()
            self._changed.notify()
        if older is not None:
            self.cancel(older)
        if self._stopping:
            self.cancel(ticket)

    def cancel(self, ticket: Ticket) -> None:
        """End a request wherever it is; harmless when it has ended."""
        ticket.cancel.cancel()
        with self._changed:
            self._cancelled = True
            call = self._call
            if call is not None and all(p.running.ticket.cancel.cancelled for p in call.parts):
                call.lane.context.abort()
            self._changed.notify()
        if ticket.claim():
            ticket.finish(never_started(ticket))

    def stop(self) -> None:
        """Cancel everything; `run` returns."""
        with self._changed:
            self._stopping = True
            if self._call is not None:
                self._call.lane.context.abort()
            self._changed.notify()

    def figures(self, engine: Engine) -> Figures | None:
        """What one model did and holds; None when it is not known here."""
        lane = self._lanes.get(engine)
        return lane.figures() if lane is not None else None

    @property
    def decoding(self) -> bool:
        """True while a call is under way."""
        return self._call is not None

    def attach(self, engine: Engine) -> None:
        """Serve requests to this model, too."""
        lane = Lane(engine)
        with self._changed:
            # The thread that decodes may be looking through the old ones.
            self._lanes = {**self._lanes, engine: lane}

    # For the one thread that decodes.

    def detach(self, engine: Engine) -> None:
        """Give up a model; its requests are cancelled."""
        lane = self._lanes.get(engine)
        with self._changed:
            self._lanes = {one: its for one, its in self._lanes.items() if one is not engine}
        if lane is not None:
            self._let_go(lane, stopping=True)
            lane.cache.forget_parked()

    def run(self) -> None:
        """Serve until `stop`."""
        while not self._stopping:
            try:
                worked = self.step()
            except Exception as error:
                log.exception("a step could not be made")
                self._give_up(EngineProblem(f"The engine failed: {error!r}. Ask again."))
                worked = True
            with self._changed:
                if not worked and not self._arrived and not self._stopping:
                    # Requests that can not go on are looked at again; without any, sleep.
                    self._changed.wait(_STALLED_SECONDS if self._busy() else None)
        self._intake()
        for lane in self._lanes.values():
            self._let_go(lane, stopping=True)

    def step(self) -> bool:
        """One call; False when there is nothing to do."""
        self._intake()
        with self._changed:
            cancelled, self._cancelled = self._cancelled, False
        for lane in self._lanes.values():
            if cancelled or lane.ended:
                self._let_go(lane)
        call = self._plan()
        if call is None:
            return False
        with self._changed:
            if self._arrived or self._stopping or self._cancelled:
                return True  # planned again, with those who came and went meanwhile
            call.lane.context.allow()
            self._call = call
            call.started = time.perf_counter()
            self.heartbeat = time.monotonic()
        self._decode(call)
        return True

    def _decode(self, call: Call) -> None:
        try:
            outcome: Outcome | AssistantError = call.lane.context.decode()
        except AssistantError as error:
            outcome = error
        with self._changed:
            self._call = None
        self.heartbeat = time.monotonic()
        try:
            if isinstance(outcome, Outcome):
                call.lane.done(call, outcome)
                return
            failure: AssistantError = outcome
        except Exception as error:
            log.exception("a step failed")
            failure = EngineProblem(f"The engine failed in this request: {error!r}.")
        for part in call.parts:
            if part.running.kept is not None:
                call.lane.fail(part.running, failure)

    def _intake(self) -> None:
        while self._arrived:
            engine, ticket = self._arrived.popleft()
            lane = self._lanes.get(engine)
            if lane is not None:
                lane.add(ticket)
            elif ticket.claim():
                ticket.finish(EngineProblem("The model was unloaded; ask again."))

    def _plan(self) -> Call | None:
        alone = sum(lane.count for lane in self._lanes.values()) == 1
        for priority in Priority:
            lanes = [lane for lane in self._lanes.values() if lane.has(priority)]
            for lane in sorted(lanes, key=lambda lane: lane.served_at):
                if (call := plan(lane, priority, alone)) is not None:
                    lane.served_at = time.monotonic()
                    return call
        return None

    def _let_go(self, lane: Lane, stopping: bool = False) -> None:
        for one in lane.sweep(stopping):
            one.ticket.finish(one.summary())

    def _give_up(self, error: AssistantError) -> None:
        """End all requests with an error, and begin afresh."""
        for engine, lane in list(self._lanes.items()):
            for one in list(lane.everyone()):
                if one.begun or one.ticket.claim():
                    one.ticket.finish(error)
                one.close()
            self.attach(engine)

    def _ended(self, ticket: Ticket, last: Finished | AssistantError) -> None:
        with self._changed:
            if self._inline.get(ticket.source) is ticket:
                del self._inline[ticket.source]
        self._on_end(last)

    def _busy(self) -> bool:
        return any(lane.has(priority) for lane in self._lanes.values() for priority in Priority)


def worth_aborting(call: Call, ticket: Ticket) -> bool:
    """Whether a call is to be stopped for a request that comes while it runs."""
    if not call.abortable or ticket.priority > call.priority:
        return False
    left = call.expected - (time.perf_counter() - call.started)
    return left > (_WORTH_ABORTING if ticket.priority < call.priority else _LONG)
