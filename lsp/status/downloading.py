"""Downloading a model: consent before, progress meanwhile, and a cancel that keeps what came."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from lsprotocol import types

from assistant.errors import ModelProblem
from lsp.progress import Progress
from lsp.status.asking import answer_to
from lsp.status.running import with_progress

if TYPE_CHECKING:
    from assistant.models.names import Reference
    from assistant.models.pulling import Plan
    from lsp.server import AssistantServer

DOWNLOAD, CANCEL = "Download", "Cancel"


async def fetched(
    server: AssistantServer, name: str, token: types.ProgressToken | None
) -> str | None:
    """The path of a model that has been downloaded now; None when the person did not want to.

    Raises:
        AssistantError: the model is not to be had.
    """
    from assistant.models import store

    reference = store.reference_of(name)
    if reference is None:
        raise ModelProblem(
            f"{name!r} is no model of the hub.", hint="Write org/repo[:quant], or an alias."
        )

    async def work(progress: Progress) -> str | None:
        return await _fetch(server, reference, progress)

    return await with_progress(server, f"Download {name}", token, work)


async def _fetch(server: AssistantServer, reference: Reference, progress: Progress) -> str | None:
    from assistant.models import pulling

    watcher = ProgressWatcher(progress)
    try:
        progress.report("asking the hub")
        plan = await asyncio.to_thread(pulling.plan, reference, watcher=watcher)
        progress.report("waiting for your consent")
        if await answer_to(server, _question(plan), [DOWNLOAD, CANCEL]) != DOWNLOAD:
            return None
        pulled = await asyncio.to_thread(pulling.pull, reference, watcher=watcher)
    finally:
        watcher.stop()
    return str(pulled.path)


def _question(plan: Plan) -> str:
    from assistant.models import environment
    from assistant.models.download import size_text

    some = f", {size_text(plan.received)} of it are here" if plan.received else ""
    licence = plan.licence or "not stated"
    text = (
        f"Download {plan.name} ({size_text(plan.size)}{some}; licence: {licence}) from "
        f"{environment.endpoint()}?"
    )
    return f"{text} Mind the licence: {plan.warning}" if plan.warning else text


class Stopped(Exception):
    """The download was cancelled; raised in its thread at the next piece."""


class ProgressWatcher:
    """An `assistant.models.watching.Watcher` that reports from a thread to the editor."""

    def __init__(self, progress: Progress) -> None:
        from assistant.models.download import size_text

        self._progress = progress
        self._size_text = size_text
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._what, self._total, self._done = "", 0, 0

    def stop(self) -> None:
        """End the download at its next piece; harmless when it has ended."""
        self._stopped.set()

    def say(self, text: str) -> None:
        """A line that stays: shown until the next one."""
        self._report(text.rstrip("."), "")

    def begin(self, what: str, total: int, done: int) -> None:
        """From here on `advance` counts towards `total` bytes."""
        self._what, self._total, self._done = what, total, done
        self.advance(0)

    def advance(self, count: int) -> None:
        """So many bytes more; 0 while it waits."""
        self._done += count
        share = f"{self._size_text(self._done)} of {self._size_text(self._total)}"
        self._report(self._what, share)

    def end(self) -> None:
        """No more of this file."""

    def _report(self, kind: str, message: str) -> None:
        if self._stopped.is_set():
            raise Stopped
        self._loop.call_soon_threadsafe(self._progress.report, kind, message)
