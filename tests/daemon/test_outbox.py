"""Outputs on their way from the thread that decodes to the loop that sends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from assistant.daemon.outbox import AT_THE_END, Bell, Outbox
from assistant.engine.types import Finished, FinishReason, PromptProgress, Text
from tests.support.daemons import PATIENCE


async def taken(outbox: Outbox, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        found += [item.tokens for item in await outbox.take() if isinstance(item, Text)]
    return found


async def test_every_output_arrives_in_order() -> None:
    """Of several requests, from another thread, without being nudged."""
    loop = asyncio.get_running_loop()
    bell = Bell(loop)
    outboxes = [Outbox(loop, bell) for _ in range(3)]

    def fill() -> None:
        for number in range(2000):
            for outbox in outboxes:
                outbox.put(Text("", number))

    thread = threading.Thread(target=fill)
    thread.start()
    async with asyncio.timeout(PATIENCE):
        found = await asyncio.gather(*(taken(outbox, 2000) for outbox in outboxes))
    thread.join()

    assert found == [list(range(2000))] * 3


async def test_one_wake_up_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the thread that decodes a system call."""
    loop = asyncio.get_running_loop()
    bell = Bell(loop)
    outboxes = [Outbox(loop, bell) for _ in range(4)]
    calls: list[Any] = []
    wake = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *a: (calls.append(a), wake(*a)))
    readers = [asyncio.create_task(taken(outbox, 3)) for outbox in outboxes]
    await asyncio.sleep(0)

    for number in range(3):
        for outbox in outboxes:
            outbox.put(Text("", number))

    async with asyncio.timeout(PATIENCE):
        assert await asyncio.gather(*readers) == [[0, 1, 2]] * 4
    assert len(calls) == 1


async def test_a_nudge_wakes_a_reader_with_nothing() -> None:
    outbox = Outbox(asyncio.get_running_loop())
    reader = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.nudge()

    async with asyncio.timeout(PATIENCE):
        assert await reader == [None]


async def test_a_loop_that_is_closed_is_no_error() -> None:
    """The daemon ends while the engine still speaks."""
    loop = asyncio.new_event_loop()
    loop.close()

    Outbox(loop).put(Text("", 1))


async def test_text_for_a_reader_is_gathered_and_nothing_else_waits() -> None:
    """The first piece and the end come at once, what lies between in one go."""
    outbox = Outbox(asyncio.get_running_loop(), every=1000.0)
    outbox.put(Text("a", 1))
    async with asyncio.timeout(PATIENCE):
        assert await taken(outbox, 1) == [1]
        for number in range(2, 100):
            outbox.put(Text("b", number))
        reader = asyncio.create_task(outbox.take())
        await asyncio.sleep(0)
        assert not reader.done()
        outbox.put(PromptProgress(1, 1, 1))
        assert len(await reader) == 99


async def test_gathered_text_comes_without_an_end() -> None:
    """The model may be slow, or busy with another request."""
    outbox = Outbox(asyncio.get_running_loop(), every=0.01)
    async with asyncio.timeout(PATIENCE):
        for number in range(20):
            outbox.put(Text("", 2 * number))
            outbox.put(Text("", 2 * number + 1))
            assert await taken(outbox, 2) == [2 * number, 2 * number + 1]


async def test_an_answer_in_one_piece_wakes_nobody_before_its_end() -> None:
    outbox = Outbox(asyncio.get_running_loop(), every=AT_THE_END)
    reader = asyncio.create_task(outbox.take())
    for number in range(5):
        outbox.put(Text("", number))
        await asyncio.sleep(0)
    assert not reader.done()
    outbox.put(Finished(FinishReason.STOP, 1, 0, 5, 0.0, 0.0))
    async with asyncio.timeout(PATIENCE):
        assert len(await reader) == 6
