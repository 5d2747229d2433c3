"""Telling the editor how the assistant is: only changes, not too many, only to one that asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsp.status.state import Status

if TYPE_CHECKING:
    from lsp.server import AssistantServer

METHOD = "assistant/status"
EVERY = 0.25
"""Seconds between two of them; what is over sooner is not told."""


class Notices:
    """Tells an editor how the assistant is."""

    def __init__(self, server: AssistantServer) -> None:
        self._server = server
        self._told: Status | None = None
        self._wanted: Status | None = None
        """None until the session is open, and for good in an editor that did not ask."""
        self._last = float("-inf")
        self._later: asyncio.TimerHandle | None = None

    def begin(self, status: Status) -> None:
        """The session is open; the editor is told what is so far."""
        if _asked_for(self._server.client_capabilities.experimental):
            self._wanted = status
            self._send()

    def show(self, status: Status) -> None:
        """Tell this state, soon, unless another one takes its place before."""
        if self._wanted is None:
            return
        self._wanted = status
        if self._later is None:
            loop = asyncio.get_running_loop()
            wait = max(0.0, self._last + EVERY - loop.time())
            if wait:
                self._later = loop.call_later(wait, self._send)
            else:
                self._send()

    def _send(self) -> None:
        self._later = None
        if self._wanted is not None and self._wanted != self._told:
            self._told = self._wanted
            self._last = asyncio.get_running_loop().time()
            self._server.protocol.notify(METHOD, self._told.as_json())


def _asked_for(experimental: Any) -> bool:
    """Whether the editor said `experimental.assistant.status`; the field may hold anything."""
    ours = experimental.get("assistant") if isinstance(experimental, dict) else None
    return isinstance(ours, dict) and ours.get("status") is True
