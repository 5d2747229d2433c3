"""A transport that a cancelled request leaves nothing behind in.

The library's pool keeps a connection for ever whose request was cancelled right after connecting:
an editor that cancels at each key collects hundreds of them, here and in the server, until no more
are allowed. So a pool in which a request was broken off takes no new ones, and is closed with all
its connections when the last of its answers has ended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(slots=True, eq=False)
class _Pool:
    transport: httpx.AsyncBaseTransport
    answers: int = 0


class Renewed(httpx.AsyncBaseTransport):
    """The transport that `make` makes, made anew where that is needed."""

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._pool: _Pool | None = None
        self._retired: set[_Pool] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        if self._pool is None:
            self._pool = _Pool(self._make())
        pool = self._pool
        pool.answers += 1
        try:
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            await self._ended(pool, whole=False)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Answer(response.stream, lambda whole: self._ended(pool, whole=whole))
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        self._retire()
        for pool in list(self._retired):
            await self._close(pool)

    async def _ended(self, pool: _Pool, *, whole: bool) -> None:
        pool.answers -= 1
        if not whole and pool is self._pool:
            self._retire()
        if not pool.answers and pool in self._retired:
            await self._close(pool)

    def _retire(self) -> None:
        if self._pool is not None:
            self._retired.add(self._pool)
            self._pool = None

    async def _close(self, pool: _Pool) -> None:
        self._retired.discard(pool)
        await pool.transport.aclose()


class _Answer(httpx.AsyncByteStream):
    """The body of an answer; says at its closing whether all of it was read."""

    def __init__(
        self, stream: httpx.AsyncByteStream, ended: Callable[[bool], Coroutine[Any, Any, None]]
    ) -> None:
        self._stream, self._ended = stream, ended
        self._whole = self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk
        self._whole = True

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._stream.aclose()
        finally:
            await self._ended(self._whole)


class Through(httpx.AsyncBaseTransport):
    """A client as a transport: it knows the proxies of the environment."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()
