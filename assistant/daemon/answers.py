"""How an answer leaves the daemon: as a stream of events, or in one piece.

A client that goes away cancels its request, also while nothing is being sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from assistant.daemon import protocol
from assistant.daemon.outbox import Item, Outbox
from assistant.daemon.protocol import REQUEST_ID
from assistant.daemon.reasoning import Channels
from assistant.daemon.replies import json_reply, status_of
from assistant.daemon.service import Service
from assistant.daemon.shapes import Answer, Probabilities, Shape
from assistant.daemon.worker import Job
from assistant.engine.types import Finished, FinishReason, PromptProgress, Text
from assistant.errors import AssistantError, DaemonProblem

PING_SECONDS = 5.0
"""A sign of life this often while there is nothing to send."""
_STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8")]
_STREAM_HEADERS += [(b"cache-control", b"no-store")]


@dataclass(frozen=True, slots=True)
class Manner:
    """How one answer is to be given."""

    shape: Shape
    channels: Channels | None = None
    """Sends the reasoning apart."""
    progress: bool = False


class _Writer:
    """Turns outputs into events."""

    def __init__(self, service: Service, manner: Manner) -> None:
        self.ended = False
        self._service = service
        self._shape = manner.shape
        self._channels = manner.channels
        self._progress = manner.progress

    def write(self, items: Iterable[Item | None]) -> bytes:
        """The events for outputs that came together; neighbouring texts are joined."""
        out, text = b"", ""
        found: Probabilities = ()
        for item in items:
            if isinstance(item, Text):
                text += item.text
                found += item.probabilities
            elif item is not None:
                if text or found:
                    out += self._piece(text, found)
                    text, found = "", ()
                out += self._other(item)
        return out + self._piece(text, found) if text or found else out

    def _piece(self, text: str, found: Probabilities) -> bytes:
        if self._channels is None:
            return self._shape.piece(text, "", found)
        reasoning, content = self._channels.feed(text)
        return (
            self._shape.piece(content, reasoning, found) if reasoning or content or found else b""
        )

    def _other(self, item: Item) -> bytes:
        match item:
            case PromptProgress():
                return self._shape.progress(item) if self._progress else b""
            case Finished():
                self.ended = True
                if (problem := _ended(self._service, item)) is not None:
                    return protocol.event(protocol.error_body(problem, 503)) + protocol.DONE
                return self._rest() + self._shape.last(item) + protocol.DONE
            case AssistantError():
                self.ended = True
                return protocol.event(protocol.error_body(item, status_of(item))) + protocol.DONE
        raise TypeError(item)

    def _rest(self) -> bytes:
        reasoning, content = self._channels.close() if self._channels else ("", "")
        return self._shape.piece(content, reasoning, ()) if reasoning or content else b""


class Stream(Response):
    """Server-sent events; the request is cancelled when the client goes away."""

    def __init__(self, service: Service, job: Job, manner: Manner) -> None:
        self.background = None
        self._service = service
        self._job = job
        self._manner = manner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is until the answer ends or the client is gone."""
        writer = _Writer(self._service, self._manner)
        headers = [*_STREAM_HEADERS, (REQUEST_ID.encode(), self._job.id.encode())]
        outbox = self._job.outbox
        async with _until_gone(self._service, self._job, receive):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send(_part(self._manner.shape.opening(), more=True))
            with contextlib.closing(_Nudging(outbox)):
                while not writer.ended:
                    items = await outbox.take()
                    out = writer.write(items) or (protocol.PING if None in items else b"")
                    if out:
                        await send(_part(out, more=True))
            await send(_part(b"", more=False))


class Whole(Response):
    """The answer in one piece, when it is complete."""

    def __init__(self, service: Service, job: Job, manner: Manner) -> None:
        self.background = None
        self._service = service
        self._job = job
        self._manner = manner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the end, then send it all."""
        text: list[str] = []
        found: list[Probabilities] = []
        last: Finished | AssistantError | None = None
        async with _until_gone(self._service, self._job, receive):
            while last is None:
                for item in await self._job.outbox.take():
                    if isinstance(item, Text):
                        text.append(item.text)
                        found.append(item.probabilities)
                    elif isinstance(item, Finished | AssistantError):
                        last = item
        if isinstance(last, Finished):
            last = _ended(self._service, last) or last
        if isinstance(last, AssistantError):
            status = 503 if self._service.stopping else status_of(last)
            response = json_reply(protocol.error_body(last, status), status)
        else:
            reasoning, content = self._parted("".join(text))
            probabilities = tuple(one for some in found for one in some)
            answer = Answer(content, reasoning, last, probabilities)
            response = json_reply(self._manner.shape.whole(answer))
        response.headers[REQUEST_ID] = self._job.id
        await response(scope, receive, send)

    def _parted(self, text: str) -> tuple[str, str]:
        channels = self._manner.channels
        if channels is None:
            return "", text
        first, rest = channels.feed(text), channels.close()
        return first[0] + rest[0], first[1] + rest[1]


def _ended(service: Service, finished: Finished) -> DaemonProblem | None:
    """The reason, when an answer was cut off by the end of the daemon."""
    if finished.reason is not FinishReason.CANCELLED or not service.stopping:
        return None
    return DaemonProblem(
        "The engine daemon was ended while it answered.",
        hint="The next request starts a new one.",
    )


def _part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


class _Nudging:
    """Wakes the reader of an outbox that was silent for long.

    One timer for the whole answer: one for each wait would cost as much as the sending.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._seen = outbox.taken
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_later(PING_SECONDS, self._look)

    def _look(self) -> None:
        if self._outbox.taken == self._seen:
            self._outbox.nudge()
        self._seen = self._outbox.taken
        self._handle = self._loop.call_later(PING_SECONDS, self._look)

    def close(self) -> None:
        """Stop."""
        self._handle.cancel()


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
        service.forget(job.id)
        service.last_use = time.monotonic()
