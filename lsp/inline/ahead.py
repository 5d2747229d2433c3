"""What comes after a suggestion is accepted, asked for before it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from assistant.errors import AssistantError
from assistant.inline import Manner, Nothing, Place, Suggestion, request_for, suggest
from assistant.inline.remembered import Remembered, after_accepting

if TYPE_CHECKING:
    from assistant.client.connection import Connection

_REST = 0.05
"""Seconds until the engine has let go of what was just shown; nobody accepts sooner."""
_MANNER = Manner(priority="background", hasty=True, first_within=10.0)


class Ahead:
    """At most one request in the background, for the newest suggestion that was shown."""

    def __init__(self, remembered: Remembered) -> None:
        self._remembered = remembered
        self._task: asyncio.Task[None] | None = None
        self._asked: tuple[str, Place] | None = None
        """What the task asks for."""

    def start(self, connection: Connection, uri: str, place: Place, shown: Suggestion) -> None:
        """Ask for what follows, in the place of what was asked before.

        Who types into a suggestion is shown the rest of it at each key: what follows is the same.
        """
        behind = after_accepting(place, shown)
        if self._task is not None and not self._task.done() and self._asked == (uri, behind):
            return
        self.stop()
        if self._remembered.find(uri, behind) is None:
            self._asked = uri, behind
            self._task = asyncio.create_task(self._ask(connection, uri, behind))

    def stop(self) -> None:
        """Somebody waits for something else, or nobody for anything."""
        task, self._task, self._asked = self._task, None, None
        if task is not None:
            task.cancel()

    async def _ask(self, connection: Connection, uri: str, place: Place) -> None:
        request = request_for(place)
        if isinstance(request, Nothing):
            return
        try:
            await asyncio.sleep(_REST)
            if await _is_busy(connection):
                return
            outcome = await suggest(place, connection, request, manner=_MANNER)
        except AssistantError:
            return  # the request that somebody waits for will say so
        found = outcome.found
        if isinstance(found, Suggestion) or not found.passing:
            self._remembered.put(uri, place, found if isinstance(found, Nothing) else [found])


async def _is_busy(connection: Connection) -> bool:
    """Whether the engine works for somebody; one that does not tell counts as busy.

    Only our daemon lets a request in the background wait for others.
    """
    if not connection.local:
        return True
    queue = (await connection.status()).get("queue") or {}
    return bool(queue.get("running") or queue.get("waiting"))
