"""A model that is faster than the screen, and a screen that changes while it streams."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import ANSWER, CODE, session_on

LONG_CODE = "".join(f"value_{number} = {number}\n" for number in range(1500))


async def test_a_flood_of_tokens_does_not_lock_the_keyboard() -> None:
    """While thousands of tokens pour in, other tasks of the application have their turns."""
    reply = Reply.of(f"## Intent\nx\n## Code\n```python\n{LONG_CODE}```\n", size=4)
    turns_of_others = 0

    async def heartbeat() -> None:
        nonlocal turns_of_others
        while True:
            await asyncio.sleep(0.005)
            turns_of_others += 1

    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            beating = asyncio.create_task(heartbeat())
            await s.ask("many values")
            await s.until_over()
            beating.cancel()

            assert turns_of_others > 10
            assert s.view.code.view.plain == LONG_CODE.rstrip("\n")


async def test_drawing_is_bounded_by_time_and_not_by_tokens() -> None:
    """Eight times a second at most, whatever the number of tokens."""
    reply = Reply.of(f"## Intent\nx\n## Code\n```python\n{LONG_CODE}```\n", size=4)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            draws = 0
            await s.ask("many values")
            show = s.view.show

            def counted() -> None:
                nonlocal draws
                draws += 1
                show()

            s.view.show = counted  # type: ignore[method-assign]
            await s.until_over()

            assert s.turn.speed.tokens > 5000
            assert draws < s.turn.speed.tokens / 50


async def test_the_screen_may_change_its_size_in_mid_answer() -> None:
    """Everything is folded anew; nothing is lost."""
    reply = Reply(chunks=["## Code\n```python\n", CODE[:20], CODE[20:], "```\n"])
    reply.hold(2)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "def double" in s.text)
            await s.pilot.resize_terminal(24, 12)
            reply.release()
            await s.until_over()
            await s.pilot.resize_terminal(120, 40)
            await s.until(lambda: "2     return 2 * x" in s.text)

            assert s.view.code.view.plain == CODE.rstrip("\n")


async def test_who_has_scrolled_back_stays_there_until_the_end_is_asked_for() -> None:
    """New text does not pull the reader down; ctrl+end does."""
    reply = Reply(chunks=[f"## Intent\nx\n## Code\n```python\n{LONG_CODE}", "last = 1\n", "```\n"])
    reply.hold(1)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("many values")
            await s.until(lambda: "value_1499" in s.text)
            await s.pilot.press("pageup", "pageup")
            place = s.app.transcript.scroll_y
            reply.release()
            await s.until_over()
            assert s.app.transcript.scroll_y == place
            assert "last = 1" not in s.text

            await s.pilot.press("ctrl+end")
            await s.until(lambda: "last = 1" in s.text)


async def test_without_colours_everything_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict, section titles and line numbers are words and signs; NO_COLOR is respected."""
    monkeypatch.setenv("NO_COLOR", "1")
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()
            await s.pilot.press("ctrl+t")
            assert s.app.no_color

            for words in ("parsed", "Intent", "Edge cases", "thought for", "1 def double"):
                assert words in s.text
