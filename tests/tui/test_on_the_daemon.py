"""The interface on the real engine: its own daemon process and a real model.

The embedded model answers where it is there; without it a tiny one does, whose weights can say
one thing only, but which loads, computes, streams and is cancelled like any other.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from assistant import config
from assistant.client import Connection, running
from assistant.models import store
from tests.support import tiny_gguf
from tests.tui.screen import Session, session

pytest.importorskip("llama_cpp", reason="the engine is not installed")

# Two threads that wait for each other are slow beyond measure where the cores are taken.
ONE_THREAD = {"daemon.threads": 1}

EMBEDDED = store.embedded_path().is_file()


@pytest.fixture
def resolved(tmp_path: Path) -> config.Resolved:
    """Settings with the embedded model, or a tiny one in its place."""
    if EMBEDDED:
        return config.load({"ask.max_tokens": 400, **ONE_THREAD})
    pieces = (
        "## Intent\nAdd them.\n",
        "## Steps\n1. Add.\n",
        "## Formulas\nNone\n",
        "## Edge cases\n- None\n",
        "## Code\n```python\n",
        "def add(a, b):\n    return a + b\n",
        "```\n",
    )
    spec = tiny_gguf.Tiny(chain=tiny_gguf.chain_of(*pieces), words=pieces, context=2048)
    model = tiny_gguf.write(tmp_path / "tiny.gguf", spec)
    return config.load({"model": str(model), **ONE_THREAD})


@pytest.fixture
async def app(resolved: config.Resolved) -> AsyncIterator[Session]:
    """The interface on that model."""
    async with session(resolved, (100, 60)) as running_session:
        yield running_session
    await end_daemon()


@pytest.fixture
async def endless(tmp_path: Path) -> AsyncIterator[Session]:
    """The interface on a model that writes "xy" until it is stopped or full."""
    spec = tiny_gguf.Tiny(chain={"\n": "x", "x": "y", "y": "x"}, context=8192)
    model = tiny_gguf.write(tmp_path / "endless.gguf", spec)
    settings = config.load({"model": str(model), "ask.max_tokens": 8000, **ONE_THREAD})
    async with session(settings, (100, 200)) as running_session:
        await running_session.until(lambda: "ready" in running_session.app.status.text)
        yield running_session
    await end_daemon()


async def end_daemon() -> None:
    """No daemon outlives its test."""
    if (connection := await running()) is not None:
        async with connection:
            await connection.shutdown()


async def status() -> dict[str, Any]:
    """What the daemon says of itself."""
    connection = await running()
    assert connection is not None, "no daemon runs"
    async with connection:
        return await connection.status()


async def until_idle(connection: Connection) -> None:
    """Wait until the daemon computes nothing any more."""
    while (await connection.status())["queue"]["running"]:
        await asyncio.sleep(0.01)


async def test_the_engine_starts_by_itself_and_answers(app: Session) -> None:
    """From nothing: the daemon comes up, the model answers, the code gets its verdict."""
    await app.until(lambda: "ready" in app.app.status.text)
    await app.ask("Add two numbers.")
    await app.until_over()

    assert app.phase == "done", app.view.note_text
    assert "UNCHECKED" not in app.text
    assert "def " in app.view.code.view.plain
    assert {section.value for section, _ in app.turn.shown.sections} >= {"Intent", "Steps"}
    assert app.turn.stats is not None
    assert app.turn.stats.completion_tokens > 0


async def test_escape_stops_the_engine_too(endless: Session) -> None:
    """After a stop the daemon computes nothing for us any more; the text that came stays."""
    await endless.ask("go on for ever")
    await endless.until(lambda: "xyxy" in endless.text)
    await endless.pilot.press("escape", "escape")
    await endless.until_over()

    assert endless.phase == "stopped"
    assert "xyxy" in endless.text
    connection = await running()
    assert connection is not None
    async with connection:
        await asyncio.wait_for(until_idle(connection), 10)


async def test_a_killed_daemon_costs_one_message_and_the_next_prompt_works(
    endless: Session,
) -> None:
    """kill -9 in mid-answer: the message, the prompt back, then a new daemon that answers."""
    await endless.ask("go on for ever")
    await endless.until(lambda: "xyxy" in endless.text)
    os.kill((await status())["pid"], signal.SIGKILL)
    await endless.until_over()
    assert endless.phase == "failed"
    assert endless.text.count("failed:") == 1
    assert "died in mid-answer" in endless.text
    assert endless.app.prompt.text == "go on for ever"
    assert "xyxy" in endless.text

    first = endless.turn
    await endless.pilot.press("enter")
    await endless.until(lambda: endless.turn is not first and endless.turn.speed.tokens > 0)
    await endless.pilot.press("alt+escape")
    await endless.until_over()


async def test_a_daemon_that_ended_while_idle_is_started_again(app: Session) -> None:
    """Nobody sees that it was gone."""
    await app.until(lambda: "ready" in app.app.status.text)
    connection = await running()
    assert connection is not None
    async with connection:
        await connection.shutdown()
    await app.ask("Add two numbers.")
    await app.until_over()

    assert app.phase == "done", app.view.note_text


async def test_a_missing_model_is_told(tmp_path: Path) -> None:
    """Before any prompt, with its path."""
    missing = tmp_path / "no-such-model.gguf"
    async with session(config.load({"model": str(missing)})) as s:
        await s.until(lambda: "failed" in s.app.status.text)

        assert "no-such-model.gguf" in s.app.transcript.notice_text


async def test_a_broken_model_file_is_told(tmp_path: Path) -> None:
    """A text file with the name of a model is named; the prompt is not lost."""
    fake = tmp_path / "notes.gguf"
    fake.write_text("these are notes, not weights\n")
    async with session(config.load({"model": str(fake)})) as s:
        await s.ask("double a number")
        await s.until_over()

        assert "notes.gguf" in s.text
        assert s.app.prompt.text == "double a number"
