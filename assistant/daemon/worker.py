"""The one thread that touches the model, and the queue in front of it.

llama.cpp's context is not thread-safe and a decode call takes long, so requests wait here while
asyncio goes on serving. Results travel back through an `Outbox` per request.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import enum
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.engine.engine import Engine
from assistant.engine.types import (
    CancelToken,
    Finished,
    FinishReason,
    Output,
    Prepared,
    Priority,
    Role,
)
from assistant.errors import AssistantError, EngineProblem

MAX_WAITING = 32
"""More waiting requests than this are refused: somebody is asking in a loop."""

log = logging.getLogger(__name__)


class Phase(enum.Enum):
    """What `/health` tells."""

    LOADING = "loading"
    OK = "ok"
    FAILED = "failed"


class Outbox:
    """Outputs of one request on their way from the worker to its HTTP task.

    A wake-up of the event loop is asked for only when none is under way, so that a fast model
    does not flood the loop: what has gathered meanwhile is taken in one go.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: collections.deque[Output | AssistantError] = collections.deque()
        self._ready = asyncio.Event()
        self._woken = False

    def put(self, item: Output | AssistantError) -> None:
        """Add an output; from any thread."""
        self._items.append(item)
        if not self._woken:
            self._woken = True
            # The loop is closed when the daemon ends; then nobody waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ready.set)

    async def take(self) -> list[Output | AssistantError]:
        """Wait for outputs and return all there are; now and then none."""
        await self._ready.wait()
        self._ready.clear()
        self._woken = False
        items = []
        while self._items:
            items.append(self._items.popleft())
        return items


@dataclass(slots=True, eq=False)
class Job:
    """A request in the queue or in work."""

    id: str
    request: Prepared
    outbox: Outbox
    priority: Priority = Priority.INTERACTIVE
    source: str = ""
    """Client and document of an inline request: a newer one with the same takes its place."""
    role: Role = Role.GENERATE
    """Which of the loaded models it was prepared for."""
    cancel: CancelToken = field(default_factory=CancelToken)


class Worker:
    """Loads the model and serves jobs in order, in a thread of its own.

    Args:
        load: makes the engine; called in the thread.
        on_answer: called in the thread after each answer that was not cancelled.
    """

    def __init__(self, load: Callable[[], Engine], on_answer: Callable[[], None]) -> None:
        self.phase = Phase.LOADING
        self.failure: AssistantError | None = None
        self.served = 0
        self.heartbeat = time.monotonic()
        """When the thread last showed a sign of life while it had work."""
        self._load = load
        self._on_answer = on_answer
        self._engine: Engine | None = None
        self._waiting: collections.deque[Job] = collections.deque()
        self._running: Job | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    @property
    def engine(self) -> Engine:
        """The loaded engine, to prepare requests with.

        Raises:
            AssistantError: it is not loaded (yet); the reason.
        """
        if self._engine is None:
            raise self.failure or EngineProblem("The model is still being loaded.")
        return self._engine

    def engine_for(self, role: Role) -> Engine | None:
        """The engine that serves `role`, or None: no loaded model can.

        Raises:
            AssistantError: none is loaded (yet); the reason.
        """
        engine = self.engine
        able = engine.facts.fim if role is Role.INLINE else engine.facts.chat
        return engine if able else None

    @property
    def running(self) -> int:
        """Requests in work: 0 or 1."""
        return int(self._running is not None)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def submit(self, job: Job) -> bool:
        """Queue a job; False when the queue is full or the worker is stopping."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING or self._stopping:
                return False
            self._waiting.append(job)
            self._changed.notify()
        return True

    def cancel(self, job: Job) -> None:
        """End a job, be it waiting or running; harmless when it has ended."""
        job.cancel.cancel()
        with self._changed:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        job.outbox.put(_never_started(job))

    def stop(self, timeout: float) -> bool:
        """Cancel everything, free the model, end the thread; False when it did not end."""
        with self._changed:
            self._stopping = True
            jobs = [*self._waiting, *([self._running] if self._running else [])]
            self._changed.notify()
        for job in jobs:
            self.cancel(job)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            engine = self._load()
        except AssistantError as error:
            self._fail(error)
            return
        except Exception as error:
            log.exception("loading failed")
            self._fail(EngineProblem(f"The model can not be loaded: {error!r}."))
            return
        self._engine, self.phase = engine, Phase.OK
        log.info("loaded %s", engine.facts)
        with engine:
            while (job := self._next()) is not None:
                self._serve(engine, job)
        self._engine = None

    def _fail(self, error: AssistantError) -> None:
        log.error("the model can not be loaded: %s", error)
        self.failure, self.phase = error, Phase.FAILED

    def _next(self) -> Job | None:
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            if self._stopping:
                return None
            self.heartbeat = time.monotonic()
            self._running = self._waiting.popleft()
            return self._running

    def _serve(self, engine: Engine, job: Job) -> None:
        last: Output | AssistantError = _never_started(job)
        try:
            for output in engine.generate(job.request, job.cancel):
                self.heartbeat = time.monotonic()
                if isinstance(output, Finished):
                    last = output
                else:
                    job.outbox.put(output)
        except AssistantError as error:
            last = error
        except Exception as error:
            log.exception("request %s failed", job.id)
            last = EngineProblem(f"The engine failed in this request: {error!r}.")
        self._running = None
        if isinstance(last, Finished) and last.reason is not FinishReason.CANCELLED:
            self.served += 1
            self._on_answer()
        # The end goes out last: who has read it sees the worker free and the answer counted.
        job.outbox.put(last)


def _never_started(job: Job) -> Finished:
    return Finished(FinishReason.CANCELLED, len(job.request.tokens), 0, 0, 0.0, 0.0)
