"""The time and the room that a connection is given, and who may make one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from assistant.daemon import answers, connection, server
from assistant.daemon.connection import server_options
from assistant.daemon.server import build_app
from assistant.daemon.service import Service
from assistant.daemon.worker import Phase, Worker
from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings, Finished, FinishReason
from tests.support.daemons import PATIENCE, chat, wait_until

CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: d\r\n"


@contextlib.asynccontextmanager
async def served(model: Path, place: Path) -> AsyncIterator[tuple[str, Service]]:
    """The real application, worker and server in this process, on a socket that all may use."""
    settings = EngineSettings(threads=1, context_length=65536)
    worker = Worker(lambda _: Engine(model, settings), on_answer=lambda: None)
    service = Service(worker, "tiny", model, stop=lambda: None)
    worker.start()
    path = os.fspath(place / "s")
    config = uvicorn.Config(build_app(service), uds=path, **server_options())
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve())
    try:
        wait_until(lambda: worker.phase is Phase.OK)
        async with asyncio.timeout(PATIENCE):
            while not server.started:
                await asyncio.sleep(0.01)
        Path(path).chmod(0o666)
        yield path, service
    finally:
        server.should_exit = True
        async with asyncio.timeout(PATIENCE):
            await task
        assert await asyncio.to_thread(worker.stop, 10)


async def exchanged(path: str, *parts: bytes) -> tuple[int, Any]:
    """Send, and read to the end that the server makes."""
    reader, writer = await asyncio.open_unix_connection(path)
    async with asyncio.timeout(PATIENCE):
        for part in parts:
            writer.write(part)
            await writer.drain()
        data = await reader.read()
    writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"G",),
        (GET,),
        (b"POST /tokenize HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n",),
        (
            b"POST /tokenize HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
            b"Content-Length: 50\r\n\r\n{",
        ),
        (GET + b"\r\n", b"GET"),
        (GET + b"\r\n" + b"GET",),
    ],
    ids=["nothing", "letter", "half head", "more head", "half body", "later", "together"],
)
async def test_a_request_has_to_arrive(
    parts: tuple[bytes, ...], models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly it drips."""
    monkeypatch.setattr(connection, "ARRIVAL_SECONDS", 0.3)
    async with served(models / "abcd.gguf", tmp_path) as (path, _):
        reader, writer = await asyncio.open_unix_connection(path)
        async with asyncio.timeout(PATIENCE):
            writer.write(parts[0] if parts else b"")
            if len(parts) > 1:
                await reader.readuntil(b'"ok"')
                writer.write(parts[1])
            told = await reader.read()
        writer.close()
    _, _, body = told[told.index(b"HTTP/1.1 408 ") :].partition(b"\r\n\r\n")
    assert json.loads(body)["error"]["type"] == "RequestProblem"


async def test_connections_are_counted(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 2)
    async with served(models / "abcd.gguf", tmp_path) as (path, _):
        first = await asyncio.open_unix_connection(path)
        second = await asyncio.open_unix_connection(path)
        for stream in (first, second):
            stream[1].write(GET + b"\r\n")
            await stream[0].readuntil(b'"ok"')
        status, body = await exchanged(path)
        assert (status, body["error"]["message"]) == (503, "There are 2 connections already.")
        first[1].close()
        second[1].close()
        async with asyncio.timeout(PATIENCE):
            while (await exchanged(path, GET + b"Connection: close\r\n\r\n"))[0] != 200:
                await asyncio.sleep(0.01)


async def test_a_client_that_does_not_read_is_let_go(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request ends with it."""
    monkeypatch.setattr(connection, "UNREAD_SECONDS", 0.2)
    monkeypatch.setattr(server, "READING_SECONDS", 0.0)  # what waits to be read grows sooner
    body = json.dumps(chat(stream=True)).encode()
    async with served(models / "endless.gguf", tmp_path) as (path, service):
        reader, writer = await asyncio.open_unix_connection(path, limit=1024)
        writer.write(CHAT + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await reader.readuntil(b'"content":"a')
        async with asyncio.timeout(PATIENCE):
            while service.open:
                await asyncio.sleep(0.01)
        assert service.worker.served == 0
        writer.close()


async def test_a_silent_answer_gives_signs_of_life(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a long prompt is read nothing else is sent; without them a client would give up."""
    monkeypatch.setattr(answers, "PING_SECONDS", 0.05)
    monkeypatch.setattr(Worker, "submit", lambda *_: True)
    body = json.dumps(chat(stream=True)).encode()
    async with served(models / "abcd.gguf", tmp_path) as (path, service):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(CHAT + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                await reader.readuntil(b": still working\n\n")
        writer.close()
        async with asyncio.timeout(PATIENCE):
            while service.open:
                (one,) = service.open.values()
                assert one.job is not None
                one.job.outbox.put(Finished(FinishReason.CANCELLED, 1, 0, 0, 0.0, 0.0))
                await asyncio.sleep(0.01)


async def test_the_rest_of_a_refused_body_is_not_waited_for(models: Path, tmp_path: Path) -> None:
    """The refusal arrives, though megabytes are on their way."""
    async with served(models / "abcd.gguf", tmp_path) as (path, _):
        status, body = await exchanged(
            path, CHAT + b"Content-Length: 9000000\r\n\r\n", b"x" * 300_000
        )
    assert status == 413
    assert "larger than 8 MiB" in body["error"]["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_refused(models: Path, tmp_path: Path) -> None:
    """Even where the folder and the socket would let them in."""
    program = f"""
        import os, socket
        os.setuid(65534)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect({os.fspath(tmp_path / "s")!r})
        connection.sendall(b"GET /health HTTP/1.1\\r\\nHost: d\\r\\n\\r\\n")
        while part := connection.recv(65536):
            os.write(1, part)
    """
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    async with served(models / "abcd.gguf", tmp_path):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-S", "-c", textwrap.dedent(program)],
            capture_output=True,
            timeout=PATIENCE,
        )
    assert b"403 Forbidden" in done.stdout, done.stderr
    assert b"not to user 65534" in done.stdout


@pytest.mark.parametrize("ahead", [1, 3])
async def test_a_client_that_asks_ahead_and_leaves_is_noticed(
    models: Path, tmp_path: Path, ahead: int
) -> None:
    """A request that waits on the same connection does not hide it."""
    body = json.dumps(chat()).encode()
    async with served(models / "endless.gguf", tmp_path) as (path, service):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(CHAT + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        async with asyncio.timeout(PATIENCE):
            while not service.worker.running:
                await asyncio.sleep(0.01)
            writer.write((GET + b"\r\n") * ahead)
            await writer.drain()
            writer.close()
            while service.open:
                await asyncio.sleep(0.01)
        assert service.worker.served == 0
