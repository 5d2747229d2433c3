"""From a place to a suggestion, with a connection to a model."""

from __future__ import annotations

import asyncio
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
_COST_SECONDS = 0.25
"""How long to wait for the cost of a request that was ended; not every server can end one."""


class Filler(Protocol):
    """A connection that can fill in (`assistant.client.connection.Connection`)."""

    def stream_fill(
        self, request: FillRequest, *, request_id: str = ""
    ) -> AsyncGenerator[Chunk, None]:
        """The answer as it comes; closing it cancels the request."""

    async def cancel(self, request_id: str) -> None:
        """End a request; its stream tells what it cost."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model is asked."""

    client: str = ""
    """A newer request of the same client for the same file takes the place of this one; empty: none
    does."""
    temperature: float = 0.0
    seed: int | None = None
    priority: str = ""
    """`background` for what nobody waits for."""
    first_within: float | None = None
    """Seconds until the first text; when none has come by then, none is waited for."""
    hasty: bool = False
    """End the request as soon as the text is whole, and do not wait for what it cost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A suggestion or the reason for none, and what it cost."""

    found: Suggestion | Nothing
    finished: Finished | None = None
    """None: no model was asked."""
    ttft_ms: float = 0.0
    """From the request to the first text."""


async def suggest(
    place: Place,
    filler: Filler,
    request: Request | None = None,
    *,
    manner: Manner | None = None,
) -> Outcome:
    """What an editor would show at the cursor.

    Cancelling the task cancels the request.

    Args:
        place: the cursor.
        filler: the connection.
        request: what to ask; None: `request_for` decides.
        manner: how to ask; None: the most likely text, without a limit of time.

    Raises:
        ModelProblem: the model can not fill in.
        DaemonProblem: the daemon died.
        EndpointProblem: the endpoint failed.
    """
    asked = request or request_for(place)
    if isinstance(asked, Nothing):
        return Outcome(asked)
    return await _Asking(place, asked, filler, manner or Manner()).outcome()


class _Asking:
    """One request on its way."""

    def __init__(self, place: Place, request: Request, filler: Filler, manner: Manner) -> None:
        self._place = place
        self._request = request
        self._filler = filler
        self._manner = manner
        self._said = ""
        self._enough = False
        self._ending = False
        self._ttft_ms = 0.0

    async def outcome(self) -> Outcome:
        patience = self._manner.first_within
        try:
            async with asyncio.timeout(patience) as limit:
                finished = await self._read(limit)
        except TimeoutError:
            if not self._enough:
                silent = f"the model said nothing within {patience:g} seconds"
                return Outcome(Nothing(silent, passing=True))
            finished = None
        return Outcome(self._found(finished), finished, round(self._ttft_ms, 3))

    async def _read(self, limit: asyncio.Timeout) -> Finished | None:
        number = uuid.uuid4().hex
        started = time.perf_counter()
        finished: Finished | None = None
        stream = self._filler.stream_fill(self._fill(), request_id=number)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                match chunk:
                    case Delta(text=text):
                        self._ttft_ms = self._ttft_ms or (time.perf_counter() - started) * 1000
                        self._take(text)
                        if self._enough and self._manner.hasty:
                            return None
                        await self._end(number, limit)
                    case Finished():
                        finished = chunk
        return finished

    def _take(self, text: str) -> None:
        if not self._enough:
            self._said += text
            said = self._said.replace("\r\n", "\n")
            self._enough = end_of(said, self._request, self._place) is not None

    async def _end(self, number: str, limit: asyncio.Timeout) -> None:
        """Once the text is whole: the stream goes on to its end, which tells what it cost."""
        if not self._enough:
            limit.reschedule(None)
        elif not self._ending:
            self._ending = True
            limit.reschedule(asyncio.get_running_loop().time() + _COST_SECONDS)
            await self._filler.cancel(number)

    def _found(self, finished: Finished | None) -> Suggestion | Nothing:
        reason = finished.reason if finished else "cancelled"
        if reason == "cancelled" and not self._enough:
            return Nothing(REPLACED, passing=True)
        return clean(self._place, self._request, self._said, ended=reason == "stop")

    def _fill(self) -> FillRequest:
        request, place, manner = self._request, self._place, self._manner
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
            client=manner.client,
            document=place.file_name if manner.client else "",
            temperature=manner.temperature,
            seed=manner.seed,
            priority=manner.priority,
        )
