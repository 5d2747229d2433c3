"""The server's connection to a model: opened once, kept, and opened again when that is needed.

Any number of requests share it. It is opened anew after the settings changed, after it broke, and
when the daemon has ended meanwhile; answers that still run on the one before go to their end.
"""

from __future__ import annotations

import asyncio
import enum
import importlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assistant import config, locations
from assistant.errors import AssistantError, DaemonProblem

if TYPE_CHECKING:
    from assistant.client import Inline, ModelInfo
    from assistant.client.connection import Connection

logger = logging.getLogger(__name__)

SURE_SECONDS = 30.0
"""A daemon that was not asked for so long may have ended: it is looked at before the request."""
ABILITY_SECONDS, SOON_SECONDS = 30.0, 1.0
"""How long it is taken for true who completes, or why nobody does; while a model is loading the
second."""
SETTLE_SECONDS = 2.0
"""How long an editor may take to tell its settings before the first request goes without them."""


class Happened(enum.Enum):
    """What a listener is told."""

    OPENING = "opening"
    OPENED = "opened"
    FAILED = "failed"


Listener = Callable[[Happened, AssistantError | None], None]


@dataclass(slots=True, eq=False)
class _Kept:
    """A connection, from the moment that somebody wanted it."""

    settings: config.Settings
    opening: asyncio.Task[Connection]
    used: float = field(default_factory=time.monotonic)
    info: ModelInfo | None = None

    @property
    def failed(self) -> bool:
        return self.opening.done() and (
            self.opening.cancelled() or self.opening.exception() is not None
        )


@dataclass(frozen=True, slots=True)
class _Ability:
    """Who completes, by which settings, and until when that is believed."""

    settings: config.Settings
    inline: Inline
    until: float


class Engine:
    """One connection for all requests of an editor."""

    def __init__(self) -> None:
        self.flags: dict[str, Any] = {}
        """Settings that the editor gave; they stand over the environment and the user's file."""
        self.settled: asyncio.Event | None = None
        """While the editor is being asked for its settings: set when they are here."""
        self._kept: _Kept | None = None
        self._ability: _Ability | None = None
        self._resolved: tuple[object, config.Resolved] | None = None
        self._listeners: list[Listener] = []
        self._warming: asyncio.Task[None] | None = None

    def listen(self, listener: Listener) -> None:
        """Have `listener` called when a connection is being opened, is open, or could not be."""
        self._listeners.append(listener)

    def resolved(self) -> config.Resolved:
        """The settings as they are now; the file is read again when it has changed.

        Raises:
            ConfigProblem: they can not be used.
        """
        state = self.settings_state()
        if self._resolved is None or self._resolved[0] != state:
            self._resolved = (state, config.load(self.flags))
        return self._resolved[1]

    def settings_state(self) -> object:
        """Equal while nobody has changed the settings, whether they can be used or not."""
        return dict(self.flags), _file_state()

    async def connection(self) -> Connection:
        """The connection; it is opened, and the daemon started, when there is none.

        Whoever is cancelled while it is opened cancels nothing for the others.

        Raises:
            AssistantError: as `assistant.connecting.open_connection`.
        """
        return (await self._opened())[1]

    async def model_info(self) -> ModelInfo:
        """The model that answers; asked once for each connection."""
        kept, connection = await self._opened()
        if kept.info is None:
            try:
                kept.info = await connection.model_info()
            except DaemonProblem:
                # It has ended since it was opened. Once more: another one is started.
                if kept is self._kept:
                    self._retire()
                kept, connection = await self._opened()
                kept.info = await connection.model_info()
        return kept.info

    def open_one(self) -> Connection | None:
        """The connection if it is open; nothing is started."""
        kept = self._kept
        if kept is None or not kept.opening.done() or kept.failed:
            return None
        return kept.opening.result()

    @property
    def is_local(self) -> bool:
        """The connection leads to our own daemon."""
        return self._kept is None or not self._kept.settings.endpoint.url

    async def inline(self) -> Inline:
        """Who completes inside of a line, or why nobody does; asked now and then.

        A failure is such a reason, too: what keeps failing is not tried at each key.
        """
        from assistant.client import Inline

        try:
            settings = self.resolved().settings
        except AssistantError as error:
            return Inline(reason=str(error))
        told = self._ability
        if told is not None and told.settings == settings and time.monotonic() < told.until:
            return told.inline
        try:
            found = await (await self.connection()).inline()
        except AssistantError as error:
            found = Inline(reason=str(error))
        seconds = SOON_SECONDS if found.soon else ABILITY_SECONDS
        self._ability = _Ability(settings, found, time.monotonic() + seconds)
        return found

    async def inline_reason(self) -> str | None:
        """Why nobody completes inside of a line; None when somebody does."""
        return (await self.inline()).reason or None

    def warm(self) -> None:
        """Open the connection in the background, so that the first request finds it open.

        A failure is told to those who listen, and to whoever asks next.
        """
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._warm())

    async def forget(self, broken: Connection | None = None) -> None:
        """Open another connection next time.

        Args:
            broken: the one that is no good any more. Where another one has taken its place already,
                or is being opened, that one stays: of many requests that break each says so.
        """
        if broken is None or broken is self.open_one():
            self._retire()

    async def _warm(self) -> None:
        try:
            await self.connection()
        except AssistantError as error:
            logger.info("could not be warmed up: %s", type(error).__name__)

    async def _opened(self) -> tuple[_Kept, Connection]:
        await self._settle()
        while True:
            kept = self._current()
            try:
                connection = await asyncio.shield(kept.opening)
            except asyncio.CancelledError:
                asking = asyncio.current_task()
                if not kept.opening.cancelled() or (asking and asking.cancelling()):
                    raise
                continue  # the settings changed while it was opened
            if await self._is_there(kept, connection):
                return kept, connection
            if kept is self._kept:
                self._retire()

    async def _settle(self) -> None:
        if self.settled is None:
            return
        try:
            await asyncio.wait_for(self.settled.wait(), SETTLE_SECONDS)
        except TimeoutError:
            logger.warning("the editor did not tell its settings")
        self.settled = None

    def _current(self) -> _Kept:
        """What there is for the present settings; begins to open it when there is none."""
        resolved = self.resolved()
        kept = self._kept
        if kept is None or kept.failed or kept.settings != resolved.settings:
            self._retire()
            kept = self._kept = _Kept(resolved.settings, asyncio.create_task(self._open(resolved)))
            # Those who waited for it may all be cancelled; then nobody looks at its end.
            kept.opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return kept

    async def _open(self, resolved: config.Resolved) -> Connection:
        from assistant.connecting import open_connection

        self._tell(Happened.OPENING)
        try:
            # The HTTP library takes a while to load: cancels are answered meanwhile.
            await asyncio.to_thread(importlib.import_module, "assistant.client.connection")
            connection = await open_connection(resolved)
        except AssistantError as error:
            self._tell(Happened.FAILED, error)
            raise
        except Exception as error:
            logger.exception("opening the connection failed unexpectedly")
            problem = AssistantError(f"Unexpected {type(error).__name__} in the assistant.")
            self._tell(Happened.FAILED, problem)
            raise problem from error
        self._ability = None
        self._tell(Happened.OPENED)
        return connection

    async def _is_there(self, kept: _Kept, connection: Connection) -> bool:
        """Whether the daemon still is; an endpoint is, for all we know."""
        now = time.monotonic()
        unsure = now - kept.used > SURE_SECONDS and not kept.settings.endpoint.url
        there = not unsure or await connection.health() is not None
        kept.used = now
        return there

    def _retire(self) -> None:
        kept, self._kept, self._ability = self._kept, None, None
        if kept is None or kept.failed:
            return
        if not kept.opening.done():
            kept.opening.cancel()
        else:
            kept.opening.result().close_when_unused()

    def _tell(self, what: Happened, error: AssistantError | None = None) -> None:
        for listener in self._listeners:
            listener(what, error)


def _file_state() -> object:
    """Changes whenever the user's file does."""
    try:
        found = locations.config_file().stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
