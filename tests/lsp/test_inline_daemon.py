"""Inline completion with nothing scripted: editor, server, daemon, llama.cpp, a tiny model."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from lsprotocol import types

from assistant.client import FillRequest
from assistant.client.connection import Connection
from assistant.inline import Place, Suggestion
from assistant.inline.remembered import Remembered, after_accepting
from lsp.inline.ahead import Ahead
from lsp.options import Features
from lsp.status.state import Kind
from tests.lsp.test_inline import Editor
from tests.lsp.test_inline_session import URI, Session
from tests.lsp.test_real_daemon import assistant, status
from tests.support.lsp_client import PATIENCE, LspClient
from tests.support.tiny_gguf import Tiny, write

MIDDLE = "<|fim_middle|>"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    line = "answer = 42"
    # Typed text is letters to it, and the last letter is said once more.
    chain = {MIDDLE: line, line: "\n", "\n": line, "4": "2", "2": "\n"}
    says = Tiny(chain=chain, words=[line])
    write(folder / "says.gguf", says)
    endless = Tiny(
        chain={MIDDLE: "a(", "a(": "b(", "b(": "a("}, words=("a(", "b("), context=1 << 15
    )
    write(folder / "endless.gguf", endless)
    write(folder / "unable.gguf", Tiny(fim=False))
    return folder


def editor(client: LspClient, model: Path, text: str = "x = 1\n|\n") -> Editor:
    client.initialize(initializationOptions={"model": str(model)})
    return Editor(client, text, "file:///nowhere/a.py", "python")


def first(made: Editor) -> list[str]:
    """What is shown once the model is loaded; a request by a key waits for it."""
    shown = made.shown(invoked=True)
    assert shown
    return shown


def test_a_suggestion_and_a_killed_daemon(models: Path, tmp_path: Path) -> None:
    with LspClient({"ASSISTANT_HOME": str(tmp_path)}) as client:
        made = editor(client, models / "says.gguf")
        assert first(made) == ["x = 1\nanswer = 42\n"]
        pids = [status(tmp_path)["pid"]]
        for key in ("y\n", "z\n"):
            os.kill(pids[-1], signal.SIGKILL)
            # Asked of another daemon, and nothing is said of it.
            made.type(key)
            assert first(made)[0].endswith(f"{key}answer = 42\n")
            pids.append(status(tmp_path)["pid"])
        assert len(set(pids)) == 3
        assert client.of("window/showMessage") == []
    assert assistant(tmp_path, "stop").returncode == 0


async def session_with(model: Path) -> tuple[Session, Connection]:
    session = Session("", "x = 1\n|\n")
    session.server.engine.flags = {"model": str(model)}
    return session, await session.server.engine.connection()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def running(connection: Connection) -> bool:
    return bool((await connection.status())["queue"]["running"])


@pytest.mark.parametrize("invoked", [False, True])
async def test_a_cancel_frees_the_engine(
    models: Path, invoked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    suggest = importlib.import_module("assistant.inline.suggest")
    monkeypatch.setattr(suggest, "MAX_TOKENS", 30_000)
    session, connection = await session_with(models / "endless.gguf")
    asked = asyncio.create_task(session.items(invoked=invoked))
    await until(lambda: running(connection))

    asked.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asked
    await until(lambda: idle(connection))
    await connection.shutdown()
    await session.server.engine.forget()


async def idle(connection: Connection) -> bool:
    return not await running(connection)


async def test_another_window_and_the_list_of_completions_end_nobodys_request(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer request of the same client and file takes an older one's place in the daemon."""
    suggest = importlib.import_module("assistant.inline.suggest")
    monkeypatch.setattr(suggest, "MAX_TOKENS", 30_000)
    session, connection = await session_with(models / "endless.gguf")
    window, _ = await session_with(models / "endless.gguf")
    session.server.features = Features(completion=True)
    listed = types.CompletionParams(types.TextDocumentIdentifier(URI), types.Position(1, 0))
    asked: list[asyncio.Task[object]] = []
    for asking in (session.items(), window.items(), session.server.inline.list_items(listed)):
        asked.append(asyncio.create_task(asking))

        async def known() -> bool:
            queue = (await connection.status())["queue"]
            some_ended = any(one.done() for one in asked)
            return some_ended or queue["running"] + queue["waiting"] == len(asked)

        await until(known)
        assert not any(one.done() for one in asked)
    for one in asked:
        one.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    await connection.shutdown()
    await session.server.engine.forget()
    await window.server.engine.forget()


async def test_what_comes_after_accepting_is_there_already(models: Path) -> None:
    """Asked for in the background as soon as the suggestion is shown."""
    session, connection = await session_with(models / "says.gguf")
    (item,) = await session.items()

    async def is_there() -> bool:
        ahead = session.server.inline._ahead._task
        return ahead is not None and ahead.done()

    await until(is_there)
    session.type(item.insert_text)
    await session.tell("accepted", item.command.arguments[0]["id"])
    asked = session.figures["asked"]
    (after,) = await session.items()

    assert after.insert_text == "\nanswer = 42"
    assert session.figures["asked"] == asked == 1
    assert session.figures["remembered"] == 1
    await connection.shutdown()
    await session.server.engine.forget()


async def test_nobody_is_asked_ahead_while_the_engine_works(models: Path) -> None:
    session, connection = await session_with(models / "endless.gguf")
    ahead = Ahead(remembered := Remembered())
    place, shown = Place("x = 1\n", 6), Suggestion(6, 6, "y")
    stream = connection.stream_fill(FillRequest("x\n", "", max_tokens=30_000))
    await anext(stream)
    ahead.start(connection, "file:///a.py", place, shown)
    task = ahead._task
    assert task is not None

    async def known() -> bool:
        queue = (await connection.status())["queue"]
        return task.done() or queue["running"] + queue["waiting"] > 1

    await until(known)
    assert task.done()
    await stream.aclose()

    after = after_accepting(place, shown)
    assert remembered.find("file:///a.py", after) is None
    # With nobody else there it is.
    await until(lambda: idle(connection))
    ahead.start(connection, "file:///a.py", place, shown)
    await ahead._task
    assert remembered.find("file:///a.py", after) is not None
    await connection.shutdown()
    await session.server.engine.forget()


async def test_a_model_that_can_not_is_told_once(models: Path) -> None:
    session, connection = await session_with(models / "unable.gguf")
    for key in "abc":
        session.type(key)
        assert await session.items() == []

    assert session.figures["asked"] == 1
    (reason,) = set(session.reasons)
    assert "has no fill-in-the-middle tokens" in reason
    assert session.server.status.now.kind is not Kind.FAILED
    assert session.server.inline.off_reason() == reason
    await connection.shutdown()
    await session.server.engine.forget()
