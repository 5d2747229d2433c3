"""The state of the assistant as it changes: what is going on, what went wrong, how the engine is.

with server.status.working("Implement add"):     # busy; an error of the engine is remembered
    ...
server.status.tell(error)                        # one message, not the same again and again
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assistant.errors import AssistantError, DaemonProblem
from lsp.engine import Happened
from lsp.status import looking
from lsp.status.notices import Notices
from lsp.status.state import (
    ANSWERED,
    CHANGED,
    ENDED,
    SILENT,
    Figures,
    Kind,
    Status,
    is_about_the_engine,
    kind_of,
)
from lsp.status.warming import suggests

if TYPE_CHECKING:
    from lsp.server import AssistantServer

logger = logging.getLogger(__name__)

BUSY_AFTER = 0.2
"""Seconds of work before it is shown: most suggestions take less, and a sign that flickers with
every key is none."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the engine while one suggestion follows the other."""
ASKED_SECONDS = 3.0
"""How long somebody who asks for the state waits for the engine to tell its own."""
OPENING = (Kind.STARTING, Kind.LOADING)
FAILURES = (Kind.FAILED, Kind.OFF)


class Board:
    """What `assistant/status` and the command `assistant.status` tell."""

    def __init__(self, server: AssistantServer) -> None:
        self.figures: Callable[[], Mapping[str, int]] | None = None
        """Of suggestions, where somebody counts them; told by the command."""
        self._server = server
        self._base = Status()
        self._last_figures = Figures()
        self._last_look = float("-inf")
        self._notices = Notices(server)
        self._numbers = itertools.count()
        self._work: dict[int, str] = {}
        """What has been going on for a while, the newest last."""
        self._told: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        server.engine.listen(self._happened)

    @property
    def now(self) -> Status:
        """What is shown."""
        if self._work and self._base.kind not in OPENING:
            return replace(self._base, kind=Kind.BUSY, message=[*self._work.values()][-1])
        return self._base

    def begin(self) -> None:
        """The session is open: from now on changes are told."""
        self._notices.begin(self.now)

    async def asked(self) -> dict[str, Any]:
        """The state at this moment; nothing is started for it, and nobody waits for an engine."""
        now = None
        try:
            async with asyncio.timeout(ASKED_SECONDS):
                await self._look_now()
        except TimeoutError:
            # Told, not kept: it may be slow, and the next request may well be answered.
            now = replace(self._base, kind=Kind.FAILED, message=SILENT)
        more = {"suggestions": dict(self.figures())} if self.figures is not None else {}
        return (now or self.now).as_json() | more

    @contextmanager
    def working(self, what: str = "Working", *, inline: bool = False) -> Iterator[None]:
        """Something is asked of the engine; shown as busy when it takes a while.

        An error of the engine that comes out of it stays on the board until something works again.

        Args:
            what: for people.
            inline: it is a suggestion: where those are not to be had, others may be answered.
        """
        number = next(self._numbers)
        later = asyncio.get_running_loop().call_later(BUSY_AFTER, self._busy, number, what)
        try:
            yield
        except AssistantError as error:
            self.failed(error, inline=inline)
            raise
        else:
            self.worked()
        finally:
            later.cancel()
            self._work.pop(number, None)
            self._show()

    def failed(self, error: AssistantError, *, inline: bool = False) -> None:
        """Something that was asked of the engine failed."""
        unable = inline and not isinstance(error, DaemonProblem)
        if is_about_the_engine(error) and not unable:
            self._set(_of_error(error, opening=False))
        elif unable or type(error) is AssistantError:
            # In words alone, or of one role: whether the engine still is there tells more.
            self._look(error)
        else:
            self._look()

    def worked(self) -> None:
        """Something that was asked of the engine was answered."""
        self._told.clear()
        if self._base.kind in FAILURES:
            self._base = replace(self._base, kind=Kind.READY, message=ANSWERED)
        self._look()

    def tell(self, error: AssistantError | str) -> None:
        """A message for the person who asked; the same one again only after something worked."""
        message = str(error)
        if message not in self._told:
            self._told.add(message)
            self._server.tell(message)

    def settings_changed(self, message: str = CHANGED) -> None:
        """Something else is set: what is known may be true no more, and `message` says why.

        What was open, or could not be, is opened in the background, where suggestions will want it.
        """
        wanted = self._server.engine.open_one() is not None or self._base.kind is not Kind.UNKNOWN
        if wanted:
            self._set(Status(message=message))
        if wanted and suggests(self._server):
            self._server.engine.warm()

    def _busy(self, number: int, what: str) -> None:
        self._work[number] = what
        self._show()

    def _happened(self, what: Happened, error: AssistantError | None) -> None:
        """A connection is being opened, is open, or could not be."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        match what:
            case Happened.OPENING:
                self._set(looking.opening(self._server.engine))
                self._watching = self._start(looking.watch_opening(self._server.engine, self._set))
            case Happened.OPENED:
                self._told.clear()
                self._last_figures = Figures()
                # Told together with what the look finds.
                self._base = Status(kind=Kind.READY, message=ANSWERED)
                self._look()
            case Happened.FAILED if error is not None:
                self._set(_of_error(error, opening=True))

    def _look(self, error: AssistantError | None = None) -> None:
        """Look at the engine in the background, not too often; at once after an error."""
        if self._looking is not None and not self._looking.done():
            if error is None:
                return
            self._looking.cancel()
        wait = 0.0 if error else max(0.0, self._last_look + LOOK_EVERY - time.monotonic())
        self._looking = self._start(self._look_later(wait, error))

    async def _look_later(self, seconds: float, error: AssistantError | None) -> None:
        await asyncio.sleep(seconds)
        await self._look_now(error)

    async def _look_now(self, error: AssistantError | None = None) -> None:
        """Look at the engine.

        Args:
            error: what somebody was just told; if the engine is gone, it is the reason.
        """
        engine = self._server.engine
        connection = engine.open_one()
        if connection is None:
            if error is not None and self._base.kind not in OPENING:
                self._set(_of_error(error, opening=False))  # it broke, and was given up
            return
        self._last_look = time.monotonic()
        try:
            seen = await looking.look(engine, connection, suggests=self._server.features.inline)
        except AssistantError as gone:
            error, seen = error or gone, None
        if connection is not engine.open_one() or self._base.kind in FAILURES:
            return  # it is another one by now, or something has failed meanwhile
        if seen is not None:
            self._seen(*seen)
        elif error is not None:
            self._set(_of_error(error, opening=False))
        else:
            self._set(Status(message=ENDED))

    def _seen(self, status: Status, figures: Figures) -> None:
        speed = figures.speed_since(self._last_figures) or self._base.tokens_per_second
        self._last_figures = figures
        self._set(replace(status, tokens_per_second=speed))

    def _set(self, base: Status) -> None:
        self._base = base
        self._show()

    def _show(self) -> None:
        self._notices.show(self.now)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _of_error(error: AssistantError, *, opening: bool) -> Status:
    return Status(kind=kind_of(error, opening=opening), message=str(error))


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    """Nothing that only tells how things are may break what is going on."""
    with suppress(asyncio.CancelledError):
        try:
            await work
        except Exception:
            logger.exception("looking at the engine failed")
