"""How an answer leaves the daemon: as a stream of events, or in one piece.

A client that goes away cancels its request, also while nothing is being sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from assistant.daemon import protocol
from assistant.daemon.service import Service
from assistant.daemon.worker import Job
from assistant.engine.types import Finished, FinishReason, PromptProgress, Text
from assistant.errors import AssistantError, DaemonProblem

PING_SECONDS = 5.0
"""A sign of life this often while there is nothing to send."""
REQUEST_ID = "x-request-id"


async def _outputs(service: Service, job: Job) -> AsyncIterator[Any]:
    """Outputs of a job to its end, neighbouring texts joined; None when a ping is due."""
    while True:
        try:
            items = await asyncio.wait_for(job.outbox.take(), PING_SECONDS)
        except TimeoutError:
            yield None
            continue
        text = ""
        for item in items:
            if isinstance(item, Text):
                text += item.text
                continue
            if text:
                yield text
                text = ""
            yield item
            if isinstance(item, Finished | AssistantError):
                return
        if text:
            yield text


async def _events(
    service: Service, job: Job, shape: protocol.Shape, progress: bool
) -> AsyncIterator[str]:
    yield protocol.event(shape.opening())
    async for item in _outputs(service, job):
        match item:
            case None:
                yield protocol.PING
            case str():
                yield protocol.event(shape.delta(item))
            case PromptProgress():
                if progress:
                    yield protocol.event(shape.progress(item))
            case Finished(reason=FinishReason.CANCELLED) if service.stopping:
                yield protocol.event(protocol.error_body(_ended(), 503))
            case Finished():
                yield protocol.event(shape.last(item))
            case AssistantError():
                yield protocol.event(protocol.error_body(item, 500))
    yield protocol.DONE


class Stream(Response):
    """Server-sent events; the request is cancelled when the client goes away."""

    def __init__(
        self, service: Service, job: Job, shape: protocol.Shape, *, progress: bool
    ) -> None:
        super().__init__(media_type="text/event-stream")
        # A length of 0 would end the answer before it begins.
        del self.headers["content-length"]
        self.headers[REQUEST_ID] = job.id
        self.headers["cache-control"] = "no-store"
        self._events = _events(service, job, shape, progress)
        self._service = service
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is until the answer ends or the client is gone."""
        async with _until_gone(self._service, self._job, receive):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for text in self._events:
                await send(_part(text.encode(), more=True))
            await send(_part(b"", more=False))


class Whole(Response):
    """The answer in one piece, when it is complete."""

    def __init__(self, service: Service, job: Job, shape: protocol.Shape) -> None:
        super().__init__(media_type="application/json")
        self._service = service
        self._job = job
        self._shape = shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the end, then send it all."""
        text, last = "", None
        async with _until_gone(self._service, self._job, receive):
            async for item in _outputs(self._service, self._job):
                if isinstance(item, str):
                    text += item
                elif isinstance(item, Finished | AssistantError):
                    last = item
        cancelled = isinstance(last, Finished) and last.reason is FinishReason.CANCELLED
        if cancelled and self._service.stopping:
            last = _ended()
        if isinstance(last, AssistantError):
            response = JSONResponse(protocol.error_body(last, 500), 500)
        else:
            assert last is not None
            response = JSONResponse(self._shape.whole(text, last))
        response.headers[REQUEST_ID] = self._job.id
        await response(scope, receive, send)


def _ended() -> DaemonProblem:
    return DaemonProblem(
        "The engine daemon was ended while it answered.",
        hint="The next request starts a new one.",
    )


def _part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


@contextlib.asynccontextmanager
async def _until_gone(service: Service, job: Job, receive: Receive) -> AsyncIterator[None]:
    """Cancels the job when the client disconnects, and forgets it at the end."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        service.worker.cancel(job)

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        service.worker.cancel(job)
        service.jobs.pop(job.id, None)
        service.last_use = time.monotonic()
