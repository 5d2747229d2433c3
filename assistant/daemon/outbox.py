"""The way of outputs from the thread that decodes to the event loop that sends them.

Waking the loop costs the decoding thread a system call, so one wake-up serves all requests of a
step: it is asked for only when none is under way, and what gathers meanwhile is taken in one go.

The loop runs on a core that the decoding threads use as well, and sending one event takes 0.4 ms
when the caches hold a model's weights. So text that is only read goes out twenty times a second at
most: the first piece and the end at once, the rest by a timer of the loop.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib

from assistant.engine.types import Output, Text
from assistant.errors import AssistantError

Item = Output | AssistantError

READING_SECONDS = 0.05
"""Between two pieces of text for a person who reads."""
AT_THE_END = float("inf")
"""For an answer that is sent in one piece."""


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
        every: seconds between two pieces of text at least; other outputs come at once.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, bell: Bell | None = None, every: float = 0.0
    ) -> None:
        self.taken = 0
        """How often outputs were taken."""
        self._loop = loop
        self._bell = bell or Bell(loop)
        self._every = every
        self._items: collections.deque[Item | None] = collections.deque()
        self._reader: asyncio.Future[None] | None = None
        # Set while a timer will look after what is put in; with `AT_THE_END` for good.
        self._timed = every == AT_THE_END
        self._due = False

    def put(self, item: Item) -> None:
        """Add an output; from any thread."""
        self._items.append(item)
        if not (self._timed and isinstance(item, Text)):
            self._bell.ring(self)

    def nudge(self) -> None:
        """Add None, for a reader that wants to be woken; in the loop."""
        self._items.append(None)
        self.notify()

    def notify(self) -> None:
        """Let the reader have what there is; in the loop."""
        self._due = True
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if self._every and not self._timed:
            self._timed = True
            self._loop.call_later(self._every, self._look)

    def _look(self) -> None:
        # First: who puts something in from here on rings.
        self._timed = False
        if self._items:
            self.notify()

    async def take(self) -> list[Item | None]:
        """Wait until outputs are due, and return all."""
        while not (self._due and self._items):
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        self._due = False
        self.taken += 1
        items = []
        while self._items:
            items.append(self._items.popleft())
        return items
