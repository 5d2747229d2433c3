"""The app's connection to the engine: made once, made anew after it broke."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from assistant.client import Connection, ModelInfo
from assistant.errors import AssistantError

Connect = Callable[[], Awaitable[Connection]]


class EngineLink:
    """Holds one connection; the first one to need it waits for the engine to start.

    Args:
        connect: makes a connection, starting the daemon where that is needed.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self.model: ModelInfo | None = None

    async def get(self) -> Connection:
        """A connection that answers: the one there is, or a new one.

        The daemon may have ended since the last prompt, because nobody asked for a while or
        because somebody stopped it; that must not cost the next prompt.

        Raises:
            AssistantError: the engine can not be started or reached; the next call tries again.
        """
        async with self._lock:
            if self._connection is not None and await self._alive(self._connection):
                return self._connection
            return await self._renew()

    async def drop(self) -> None:
        """Close the connection; the next `get` makes another."""
        async with self._lock:
            await self._close()

    async def _alive(self, connection: Connection) -> bool:
        try:
            self.model = await connection.model_info()
        except AssistantError:
            return False
        return True

    async def _renew(self) -> Connection:
        await self._close()
        connection = await self._connect()
        try:
            self.model = await connection.model_info()
        except BaseException:
            await connection.aclose()
            raise
        self._connection = connection
        return connection

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()
