"""`answer` over the real daemon: closing cancels there, a death is told, connections last."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from assistant.answer import AnswerOptions, PromptProgress, answer
from assistant.client import Connection, Daemon, connect
from assistant.client.stop import stop
from assistant.events import Code, Done, Failed
from assistant.tasks import Task
from tests.answer.scripted import assert_contract, code_of, reasoning_of
from tests.support.tiny_gguf import Tiny, chain_of, write

PARTS = ("## Intent\nGo on.\n", "## Code\n```python\n", "a = 1\n", "a += 1\n", "a += 2\n")
# After the last part comes the last but one again, and so on to the limit.
ENDLESS = chain_of(*PARTS) | {"a += 2\n": "a += 1\n"}
LONG = AnswerOptions(max_tokens=60_000)


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    path = write(tmp_path / "endless.gguf", Tiny(chain=ENDLESS, words=PARTS, context=1 << 16))
    made = await connect(Daemon(model=str(path), context_length=1 << 16, threads=1))
    yield made
    await made.aclose()
    await stop()


async def wait_for(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_a_limit_ends_the_answer_and_the_next_one_uses_the_same_connection(connection):
    code = "a = 1\na += 1\na += 2\n"
    for limit, written in ((5, code), (6, code + "a += 1\n")):
        options = AnswerOptions(max_tokens=limit)
        events = [event async for event in answer(Task("count"), connection, options)]

        assert_contract(events)
        assert isinstance(events[-1], Done)
        assert events[-1].stats.completion_tokens == limit
        assert reasoning_of(events) == "Go on.\n"
        assert code_of(events) == written


async def test_prompt_progress_comes_before_anything_else(connection):
    options = AnswerOptions(max_tokens=5)
    long = Task("count to three, " * 200)
    events = [event async for event in answer(long, connection, options)]
    progress = [event for event in events if isinstance(event, PromptProgress)]

    assert progress
    assert events[: len(progress)] == progress
    assert progress[-1].processed <= progress[-1].total


async def test_closing_the_generator_stops_the_daemons_work(connection):
    events = answer(Task("count"), connection, LONG)
    async for event in events:
        if isinstance(event, Code):
            break
    assert (await connection.status())["queue"]["running"] == 1

    await events.aclose()

    async def idle() -> bool:
        return (await connection.status())["queue"]["running"] == 0

    await wait_for(idle)
    assert (await connection.status())["requests_served"] == 0


async def test_a_daemon_that_is_killed_fails_the_answer_and_nothing_else(connection):
    pid = (await connection.status())["pid"]
    events = []
    async for event in answer(Task("count"), connection, LONG):
        if isinstance(event, Code) and not any(isinstance(e, Code) for e in events):
            os.kill(pid, signal.SIGKILL)
        events.append(event)

    assert_contract(events)
    assert isinstance(events[-1], Failed)
    assert "died in mid-answer" in events[-1].reason
