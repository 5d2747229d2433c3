"""Work-done progress of one task: what the editor shows while it runs, and its cancel button."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from lsp.server import AssistantServer

REPORT_EVERY = 0.1
"""Seconds between two messages of the same kind; editors redraw for each."""


class Progress:
    """The progress of one task. Silent when the editor shows none, or once it has ended."""

    def __init__(self, server: AssistantServer, title: str, token: types.ProgressToken) -> None:
        self._server = server
        self._title = title
        self.token = token
        self._message = ""
        self._kind = ""
        self._shown = False
        self._ended = False
        self._last_report = 0.0
        self._later: asyncio.TimerHandle | None = None

    def show(self) -> None:
        """Begin to show it: the editor knows the token."""
        if not self._ended:
            self._shown = True
            self._send(
                types.WorkDoneProgressBegin(
                    title=self._title, cancellable=True, message=self._message or None
                )
            )

    def report(self, kind: str, message: str = "") -> None:
        """Say what is going on; a new `kind` at once, more of the same not too often."""
        same = kind == self._kind
        self._kind, self._message = kind, f"{kind} - {message}" if message else kind
        if self._later is not None and not same:
            self._later.cancel()
            self._later = None
        if self._later is None:
            loop = asyncio.get_running_loop()
            wait = self._last_report + REPORT_EVERY - loop.time() if same else 0
            if wait > 0:
                self._later = loop.call_later(wait, self._report_now)
            else:
                self._report_now()

    def _report_now(self) -> None:
        self._later = None
        if self._shown:
            self._last_report = asyncio.get_running_loop().time()
            self._send(types.WorkDoneProgressReport(message=self._message, cancellable=True))

    def end(self, message: str) -> None:
        """Take it off the screen."""
        if self._shown and not self._ended:
            self._send(types.WorkDoneProgressEnd(message=message))
        self._ended = True
        if self._later is not None:
            self._later.cancel()

    def _send(
        self,
        value: types.WorkDoneProgressBegin
        | types.WorkDoneProgressReport
        | types.WorkDoneProgressEnd,
    ) -> None:
        if not self._ended:
            self._server.progress(types.ProgressParams(self.token, value))


class ProgressTokens:
    """Which task a progress token stands for, so that its cancel button finds the task."""

    def __init__(self, server: AssistantServer) -> None:
        self._server = server
        self._cancels: dict[types.ProgressToken, Callable[[], None]] = {}
        self._creating: set[asyncio.Task[None]] = set()

    def begin(
        self, title: str, token: types.ProgressToken | None, cancel: Callable[[], None]
    ) -> Progress:
        """Progress under the editor's own token, or under a new one that it is asked to show."""
        progress = Progress(self._server, title, token or str(uuid.uuid4()))
        self._cancels[progress.token] = cancel
        if token is not None:
            progress.show()
        elif self._editor_shows_progress():
            creating = asyncio.create_task(self._create(progress))
            self._creating.add(creating)
            creating.add_done_callback(self._creating.discard)
        return progress

    def end(self, progress: Progress, message: str) -> None:
        """The task is over."""
        self._cancels.pop(progress.token, None)
        progress.end(message)

    def cancelled(self, token: types.ProgressToken) -> None:
        """The editor's cancel button was pressed; unknown and ended tokens do not matter."""
        if (cancel := self._cancels.get(token)) is not None:
            cancel()

    def _editor_shows_progress(self) -> bool:
        window = self._server.client_capabilities.window
        return window is not None and bool(window.work_done_progress)

    async def _create(self, progress: Progress) -> None:
        try:
            await self._server.window_work_done_progress_create_async(
                types.WorkDoneProgressCreateParams(progress.token)
            )
        except JsonRpcException:
            return  # the editor refuses to show it; the work goes on
        progress.show()
