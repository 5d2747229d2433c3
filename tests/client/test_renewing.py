"""Cancelled requests, at whatever step, leave no connection open."""

from __future__ import annotations

import asyncio

import pytest

from assistant import locations
from assistant.client import Daemon, Endpoint, FillRequest
from assistant.client.connection import Connection
from assistant.client.types import Target
from tests.support.lsp_inside import until

BEGIN = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'data: {"content": "a", "stop": false}\n\n'
)


class Open:
    """A server that begins an answer and never ends it; counts who is connected."""

    def __init__(self) -> None:
        self.now = self.ever = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.ever += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(BEGIN)
            await reader.read()
            while await reader.read(100):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.now -= 1
            writer.close()


async def cancelled_at_every_step(target: Target) -> None:
    connection = Connection(target, start=False)

    async def ask() -> None:
        async for _ in connection.stream_fill(FillRequest("a", "b")):
            pass

    for steps in range(80):
        task = asyncio.create_task(ask())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_at_an_endpoint() -> None:
    opened = Open()
    async with await asyncio.start_server(opened.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await cancelled_at_every_step(Endpoint(f"http://127.0.0.1:{port}/v1", model="m"))
        await until(lambda: opened.now == 0)
    assert opened.ever > 20


async def test_at_the_daemon() -> None:
    opened = Open()
    locations.socket_path().parent.mkdir(parents=True, exist_ok=True)
    async with await asyncio.start_unix_server(opened.serve, locations.socket_path()):
        await cancelled_at_every_step(Daemon())
        await until(lambda: opened.now == 0)
    assert opened.ever > 20
