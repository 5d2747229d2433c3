"""The server's connection to a model: opened once, kept, and opened again when it broke."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from assistant import config

if TYPE_CHECKING:
    from assistant.client import ModelInfo
    from assistant.client.connection import Connection


class Engine:
    """One connection for all requests of an editor.

    Args:
        flags: the settings that the editor gave, as they are at the time of asking.
    """

    def __init__(self) -> None:
        self.flags: dict[str, Any] = {}
        """Settings that the editor gave; they stand over the environment and the user's file."""
        self._connection: Connection | None = None
        self._settings: config.Settings | None = None
        self._info: ModelInfo | None = None
        self._opening = asyncio.Lock()

    def resolved(self) -> config.Resolved:
        """The settings as they are now.

        Raises:
            ConfigProblem: they can not be used.
        """
        return config.load(self.flags)

    async def connection(self) -> Connection:
        """The connection; it is opened, and the daemon started, when there is none.

        Raises:
            AssistantError: as `assistant.connecting.open_connection`.
        """
        from assistant.connecting import open_connection

        async with self._opening:
            resolved = self.resolved()
            if self._connection is None or resolved.settings != self._settings:
                await self._close()
                self._connection = await open_connection(resolved)
                self._settings = resolved.settings
            return self._connection

    async def model_info(self) -> ModelInfo:
        """The model that answers; asked once for each connection."""
        connection = await self.connection()
        if self._info is None:
            self._info = await connection.model_info()
        return self._info

    async def forget(self) -> None:
        """Open another connection next time: this one broke, or what it leads to has changed."""
        async with self._opening:
            await self._close()

    async def _close(self) -> None:
        connection, self._connection, self._info = self._connection, None, None
        if connection is not None:
            await connection.aclose()
