"""From a place to a suggestion, with a connection to a model."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from assistant.client.types import Chunk, Delta, FillRequest, Finished
from assistant.inline.cleaning import clean
from assistant.inline.place import Place
from assistant.inline.request import LINE_MS, MAX_TOKENS, Request, request_for
from assistant.inline.stopping import end_of
from assistant.inline.suggestion import Nothing, Suggestion

REPLACED = "a newer request took its place"


class Filler(Protocol):
    """A connection that can fill in (`assistant.client.connection.Connection`)."""

    def stream_fill(
        self, request: FillRequest, *, request_id: str = ""
    ) -> AsyncGenerator[Chunk, None]:
        """The answer as it comes; closing it cancels the request."""

    async def cancel(self, request_id: str) -> None:
        """End a request; its stream tells what it cost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A suggestion or the reason for none, and what it cost."""

    found: Suggestion | Nothing
    finished: Finished | None = None
    """None: no model was asked."""
    ttft_ms: float = 0.0
    """From the request to the first text."""


async def suggest(
    place: Place, filler: Filler, request: Request | None = None, *, client: str = ""
) -> Outcome:
    """What an editor would show at the cursor.

    Cancelling the task cancels the request.

    Args:
        place: the cursor.
        filler: the connection.
        request: what to ask; None: `request_for` decides.
        client: a newer request of the same client for the same file takes the place of this one;
            empty: none does.

    Raises:
        ModelProblem: the model can not fill in.
        DaemonProblem: the daemon died.
        EndpointProblem: the endpoint failed.
    """
    asked = request or request_for(place)
    if isinstance(asked, Nothing):
        return Outcome(asked)
    return await _Asking(place, asked, filler).outcome(client)


class _Asking:
    """One request on its way."""

    def __init__(self, place: Place, request: Request, filler: Filler) -> None:
        self._place = place
        self._request = request
        self._filler = filler
        self._said = ""
        self._enough = False
        self._ttft_ms = 0.0

    async def outcome(self, client: str) -> Outcome:
        number = uuid.uuid4().hex
        started = time.perf_counter()
        finished: Finished | None = None
        stream = self._filler.stream_fill(self._fill(client), request_id=number)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                match chunk:
                    case Delta(text=text):
                        self._ttft_ms = self._ttft_ms or (time.perf_counter() - started) * 1000
                        await self._take(text, number)
                    case Finished():
                        finished = chunk
        return Outcome(self._found(finished), finished, round(self._ttft_ms, 3))

    async def _take(self, text: str, number: str) -> None:
        if self._enough:
            return
        self._said += text
        if end_of(self._said.replace("\r\n", "\n"), self._request, self._place) is not None:
            # The stream goes on to its end, which tells what it cost.
            self._enough = True
            await self._filler.cancel(number)

    def _found(self, finished: Finished | None) -> Suggestion | Nothing:
        reason = finished.reason if finished else "cancelled"
        if reason == "cancelled" and not self._enough:
            return Nothing(REPLACED)
        return clean(self._place, self._request, self._said, ended=reason == "stop")

    def _fill(self, client: str) -> FillRequest:
        request, place = self._request, self._place
        return FillRequest(
            prefix=request.prefix,
            suffix=request.suffix,
            typed=request.typed,
            max_tokens=MAX_TOKENS,
            stop=request.stop,
            file_name=place.file_name,
            repository=place.repository,
            extra=request.extra,
            line_ms=LINE_MS,
            client=client,
            document=place.file_name if client else "",
        )
