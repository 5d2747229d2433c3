"""Escape and Ctrl+C: what stops, what stays, and what comes back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from assistant.checks import read_tests
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import ANSWER, CODE, REASONING, session_on
from tui import app as app_module
from tui.messages import PromptSubmitted


async def test_before_the_first_token_the_prompt_comes_back() -> None:
    """Nothing had come: the turn goes, the words return, the engine is told to stop."""
    reply = Reply.of(ANSWER)
    reply.hold(0)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            await s.pilot.press("escape", "escape")
            await s.until_over()

            assert s.app.prompt.text == "double a number"
            assert s.app.transcript.current is None
            assert "stopped" in s.app.status.text
            reply.wait_closed()


async def test_a_draft_is_not_overwritten_by_the_prompt_that_comes_back() -> None:
    """Who has begun to write the next prompt keeps it; the old one is one key away."""
    reply = Reply.of(ANSWER)
    reply.hold(0)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            s.app.prompt.insert("something else")
            await s.pilot.press("escape", "escape")
            await s.until_over()

            assert s.app.prompt.text == "something else"
            await s.pilot.press("up")
            assert s.app.prompt.text == "double a number"
            await s.pilot.press("down")
            assert s.app.prompt.text == "something else"


async def test_during_the_reasoning_the_partial_answer_stays_and_is_marked() -> None:
    """What had come can be read, and says that it was stopped."""
    reply = Reply(chunks=[REASONING[:40], ANSWER[40:]])
    reply.hold(1)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "Double a number." in s.text)
            await s.pilot.press("escape", "escape")
            await s.until_over()

            assert "Double a number." in s.text
            assert "stopped" in s.view.note_text
            assert "stopped" in s.app.status.text
            assert s.app.prompt.text == ""
            reply.wait_closed()


async def test_during_the_code_it_stays_unchecked() -> None:
    """Half of a function is kept, never gets a verdict, and says so."""
    reply = Reply(chunks=[REASONING, "## Code\n```python\n", CODE[:20], CODE[20:], "```\n"])
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "def double" in s.text)
            await s.pilot.press("escape", "escape")
            await s.until_over()

            assert "def double" in s.text
            assert "UNCHECKED (stopped" in s.view.code.header_text
            assert "stopped" in s.view.note_text
            reply.wait_closed()


async def test_during_the_check_the_check_is_ended(tmp_path: Path) -> None:
    """A test that would run for a minute does not keep the interface waiting."""
    tests = tmp_path / "test_double.py"
    tests.write_text("import time\ntime.sleep(60)\nassert double(2) == 4\n")
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            s.app.options = dataclasses.replace(s.app.options, tests=read_tests(tests))
            await s.ask("double a number")
            await s.until(lambda: "being checked" in s.view.code.header_text)
            assert s.phase == "checking"
            await s.pilot.press("escape", "escape")
            await s.until_over()

            assert "UNCHECKED (stopped" in s.view.code.header_text
            assert s.view.code.view.plain == CODE.rstrip("\n")


async def test_one_escape_only_arms() -> None:
    """The first press says what a second would do, and stops nothing."""
    reply = Reply.of(ANSWER)
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            await s.pilot.press("escape")
            assert "esc again to stop" in s.text
            reply.release()
            await s.until_over()

            assert s.phase == "done"
            assert "esc again to stop" not in s.text


async def test_an_armed_escape_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time, the next press arms again instead of stopping."""
    monkeypatch.setattr(app_module, "NOTICE_S", 0.05)
    reply = Reply.of(ANSWER)
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            await s.pilot.press("escape")
            await s.until(lambda: "esc again" not in s.app.hints.text)
            await s.pilot.press("escape")

            assert s.app.busy
            reply.release()
            await s.until_over()
            assert s.phase == "done"


async def test_a_fast_double_escape_that_arrives_as_one_key_stops() -> None:
    """Some terminals send alt+escape for it."""
    reply = Reply.of(ANSWER)
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            await s.pilot.press("alt+escape")
            await s.until_over()

            assert s.phase == "stopped"


async def test_after_a_stop_the_next_prompt_is_answered() -> None:
    """Stopping leaves no trace in what follows."""
    first = Reply.of(ANSWER)
    first.hold(3)
    with ScriptedEndpoint([first, ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            await s.pilot.press("escape", "escape")
            await s.until_over()
            s.app.prompt.text = ""
            await s.ask("once more")
            await s.until_over()

            assert s.phase == "done"
            assert s.view.code.view.plain == CODE.rstrip("\n")


async def test_a_stop_in_the_moment_of_sending_is_not_lost() -> None:
    """Before the request has left, stopping gives the prompt back, and the next one is answered."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            s.app.prompt.insert("double a number")
            s.app.prompt.action_submit()
            s.app.ask(PromptSubmitted("double a number"))
            s.app.action_stop()
            await s.until(lambda: s.app.prompt.text == "double a number")
            assert not s.app.prompt.held


class TestControlC:
    """Copies, clears, stops, quits: whatever is there to do first."""

    async def test_a_selection_is_copied_and_nothing_else_happens(self) -> None:
        """The draft survives a copy."""
        with ScriptedEndpoint([ANSWER]) as server:
            async with session_on(server) as s:
                s.app.prompt.insert("some words")
                s.app.prompt.select_all()
                await s.pilot.press("ctrl+c")

                assert s.app.clipboard == "some words"
                assert s.app.prompt.text == "some words"

    async def test_a_draft_is_cleared_and_can_be_recalled(self) -> None:
        """Clearing loses nothing."""
        with ScriptedEndpoint([ANSWER]) as server:
            async with session_on(server) as s:
                s.app.prompt.insert("some words")
                await s.pilot.press("ctrl+c")
                assert s.app.prompt.text == ""
                await s.pilot.press("up")

                assert s.app.prompt.text == "some words"

    async def test_with_an_empty_prompt_it_stops_the_answer(self) -> None:
        """One press is enough."""
        reply = Reply.of(ANSWER)
        reply.hold(3)
        with ScriptedEndpoint([reply]) as server:
            async with session_on(server) as s:
                await s.ask("double a number")
                await s.until(lambda: server.requests)
                await s.pilot.press("ctrl+c")
                await s.until_over()

                assert s.phase == "stopped"

    async def test_idle_it_quits_at_the_second_press(self) -> None:
        """The first press says so."""
        with ScriptedEndpoint([ANSWER]) as server:
            async with session_on(server) as s:
                await s.pilot.press("ctrl+c")
                assert "ctrl+c again to quit" in s.text
                assert s.app.is_running
                await s.pilot.press("ctrl+c")

                assert s.app.return_code == 0


async def test_quitting_in_mid_answer_hangs_up() -> None:
    """The engine does not go on for an application that has left."""
    reply = Reply.of(ANSWER)
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            await s.pilot.press("ctrl+q")
        reply.wait_closed()

        assert s.app.return_code == 0
