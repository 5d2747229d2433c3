"""The one thread that touches the models, and how results travel back from it.

llama.cpp's context is not thread-safe and a decode call takes long, so the scheduler runs in a
thread of its own while asyncio goes on serving. Results come through an `Outbox` per request.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from assistant.daemon.outbox import Outbox
from assistant.engine.engine import Engine, OnProgress
from assistant.engine.running import Ticket
from assistant.engine.scheduler import Scheduler
from assistant.engine.types import (
    Figures,
    Finished,
    FinishReason,
    Prepared,
    Priority,
    Role,
)
from assistant.errors import AssistantError, EngineProblem, ModelProblem

MAX_WAITING = 192
"""More waiting requests than this are refused. Of all clients together, so that a few that ask in
a loop do not lock the others out; what one of them may have is `service.MAX_OF_CLIENT`."""
PREPARED_SECONDS = 5.0
"""How long the end waits for threads that still use a model."""

log = logging.getLogger(__name__)


class Phase(enum.Enum):
    """What `/health` tells."""

    LOADING = "loading"
    OK = "ok"
    FAILED = "failed"


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
    ticket: Ticket = field(init=False)

    def __post_init__(self) -> None:
        self.ticket = Ticket(self.request, self.outbox.put, self.priority, self.source)


Load = Callable[[OnProgress], Engine]
"""Makes an engine, and tells how far it is."""


class Worker:
    """Loads the models and serves jobs, in a thread of its own.

    Args:
        load: makes the engine that generates; called in the thread.
        load_inline: makes a second engine, for completions inside of a line; called in another
            thread, while the first one serves. None: the first serves both.
        on_answer: called in the thread after each answer that was not cancelled.
    """

    def __init__(
        self,
        load: Load,
        load_inline: Load | None = None,
        on_answer: Callable[[], None] | None = None,
    ) -> None:
        self.phase = Phase.LOADING
        self.failure: AssistantError | None = None
        self.inline_failure: AssistantError | None = None
        """Why the second model is not there."""
        self.progress = 0.0
        """How much of the first model is loaded, from 0 to 1."""
        self.served = 0
        self._load = load
        self._load_inline = load_inline
        self._on_answer = on_answer
        self._engine: Engine | None = None
        self._inline: Engine | None = None
        self._open = 0
        self._counting = threading.Lock()
        self._users = 0
        self._unused = threading.Condition()
        self._stopping = False
        self._scheduler = Scheduler(self._ended)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    @property
    def engine(self) -> Engine:
        """The engine that generates, to prepare requests with.

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
        first = self.engine
        if role is Role.GENERATE:
            return first if first.facts.chat else None
        if self._load_inline is not None:
            return self._inline
        return first if first.facts.fim else None

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """For threads that work with an engine: it is not freed meanwhile."""
        with self._unused:
            self._users += 1
        try:
            yield
        finally:
            with self._unused:
                self._users -= 1
                self._unused.notify_all()

    @property
    def inline_loading(self) -> bool:
        """True while a second model is on its way."""
        return (
            self._load_inline is not None and self._inline is None and self.inline_failure is None
        )

    @property
    def heartbeat(self) -> float:
        """When the thread last showed a sign of life while it had work, on the monotonic clock."""
        return self._scheduler.heartbeat

    @property
    def decoding(self) -> bool:
        """True while a decode call is under way."""
        return self._scheduler.decoding

    @property
    def running(self) -> int:
        """Requests in work, to all models."""
        figures = [self.figures(role) for role in Role]
        return sum(one.running for one in figures if one is not None)

    @property
    def waiting(self) -> int:
        """Requests that have not begun."""
        return max(0, self._open - self.running)

    def figures(self, role: Role = Role.GENERATE) -> Figures | None:
        """What the engine of a role did and holds; None while there is none.

        Of the second role only if it has an engine of its own.
        """
        engine = self._engine if role is Role.GENERATE else self._inline
        return self._scheduler.figures(engine) if engine is not None else None

    def submit(self, job: Job) -> bool:
        """Queue a job; False when the queue is full or the worker is stopping."""
        engine = self.engine_for(job.role) if self._engine is not None else None
        with self._counting:
            if engine is None or self._stopping or self.waiting >= MAX_WAITING:
                return False
            self._open += 1
        self._scheduler.submit(engine, job.ticket)
        return True

    def cancel(self, job: Job) -> None:
        """End a job, be it waiting or running; harmless when it has ended."""
        self._scheduler.cancel(job.ticket)

    def stop(self, timeout: float) -> bool:
        """Cancel everything, free the models, end the thread; False when it did not end."""
        self._stopping = True
        self._scheduler.stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            engine = self._load(self._progressed)
        except Exception as error:
            self.failure, self.phase = self._why("the model", error), Phase.FAILED
            return
        second = threading.Thread(target=self._run_inline, name="inline loader", daemon=True)
        self._scheduler.attach(engine)
        self._engine, self.progress, self.phase = engine, 1.0, Phase.OK
        log.info("loaded %s", engine.facts)
        second.start()
        try:
            self._scheduler.run()
        finally:
            second.join()
            self._free()

    def _free(self) -> None:
        """Free the models, unless a thread does not let go of them: then the process's end does."""
        engines, self._engine, self._inline = (self._engine, self._inline), None, None
        with self._unused:
            if not self._unused.wait_for(lambda: not self._users, PREPARED_SECONDS):
                log.warning("a request was still being prepared at the end")
                return
        for engine in engines:
            if engine is not None:
                engine.close()

    def _run_inline(self) -> None:
        if self._load_inline is None:
            return
        try:
            engine = self._load_inline(lambda _: not self._stopping)
            if not engine.facts.fim:
                engine.close()
                raise ModelProblem(
                    f"{engine.facts.path} has no fill-in-the-middle tokens.",
                    hint="Choose one that has: assistant models use NAME --role inline",
                )
        except Exception as error:
            self.inline_failure = self._why("the inline model", error)
            return
        self._scheduler.attach(engine)
        self._inline = engine
        log.info("loaded for inline completions: %s", engine.facts)

    def _progressed(self, share: float) -> bool:
        self.progress = share
        return not self._stopping

    def _why(self, what: str, error: Exception) -> AssistantError:
        if isinstance(error, AssistantError):
            log.error("%s can not be loaded: %s", what, error)
            return error
        log.error("%s can not be loaded", what, exc_info=error)
        return EngineProblem(f"The model can not be loaded: {error!r}.")

    def _ended(self, ended: Finished | AssistantError) -> None:
        """Before the last output of a request goes out: who has read it sees it counted."""
        with self._counting:
            self._open -= 1
        if isinstance(ended, Finished) and ended.reason is not FinishReason.CANCELLED:
            self.served += 1
            if self._on_answer is not None:
                self._on_answer()
