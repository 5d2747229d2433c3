"""The way of outputs from the thread that decodes to the event loop that sends them.

Waking the loop costs the decoding thread a system call, so one wake-up serves all requests of a
step: it is asked for only when none is under way, and what gathers meanwhile is taken in one go.
A fast model can not flood the loop.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib

from assistant.engine.types import Output
from assistant.errors import AssistantError

Item = Output | AssistantError


class Bell:
    """Wakes one event loop for any number of outboxes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._filled: collections.deque[Outbox] = collections.deque()
        self._rung = False

    def ring(self, outbox: Outbox) -> None:
        """From any thread."""
        self._filled.append(outbox)
        if not self._rung:
            self._rung = True
            # The loop is closed when the daemon ends; then nobody waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        # First: who fills an outbox from here on rings again.
        self._rung = False
        while self._filled:
            self._filled.popleft().notify()


class Outbox:
    """Outputs of one request. Made and emptied in the loop, filled from any thread.

    Args:
        loop: that reads it.
        bell: of all outboxes of the loop; None: one of its own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bell: Bell | None = None) -> None:
        self._loop = loop
        self._bell = bell or Bell(loop)
        self._items: collections.deque[Item | None] = collections.deque()
        self._reader: asyncio.Future[None] | None = None
        self.taken = 0
        """How often outputs were taken."""

    def put(self, item: Item) -> None:
        """Add an output; from any thread."""
        self._items.append(item)
        self._bell.ring(self)

    def nudge(self) -> None:
        """Add None, for a reader that wants to be woken; in the loop."""
        self._items.append(None)
        self.notify()

    def notify(self) -> None:
        """Wake the reader, if one waits; in the loop."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def take(self) -> list[Item | None]:
        """Wait until there are outputs, and return all."""
        while not self._items:
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        self.taken += 1
        items = []
        while self._items:
            items.append(self._items.popleft())
        return items
