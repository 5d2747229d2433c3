"""When the engine is missing, dies or refuses: one clear message, and no prompt is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import ANSWER, CODE, REASONING, session_on


def free_url() -> str:
    """An address of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


async def test_an_engine_that_dies_in_mid_answer_gives_one_message() -> None:
    """What had come stays, the message says what happened, the prompt is back to be sent again."""
    reply = Reply(chunks=[REASONING, "## Code\n```python\ndef double", "(x):\n"], break_after=2)
    with ScriptedEndpoint([reply, ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()

            assert s.phase == "failed"
            assert s.text.count("failed:") == 1
            assert "def double" in s.text
            assert "UNCHECKED (incomplete)" in s.view.code.header_text
            assert s.app.prompt.text == "double a number"

            await s.pilot.press("enter")
            await s.until(lambda: s.phase == "done")
            assert s.view.code.view.plain == CODE.rstrip("\n")


async def test_a_failure_does_not_overwrite_a_draft() -> None:
    """The lost prompt is one key away."""
    reply = Reply(chunks=[REASONING, ANSWER], break_after=1)
    reply.hold(1)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "Zero stays" in s.text)
            s.app.prompt.insert("meanwhile")
            reply.release()
            await s.until_over()

            assert s.app.prompt.text == "meanwhile"
            await s.pilot.press("up")
            assert s.app.prompt.text == "double a number"


async def test_a_refused_request_shows_the_reason() -> None:
    """The endpoint's own words are on the screen."""
    reply = Reply(status=400, error="the request has 9000 tokens, the context 4096")
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()

            assert "the context 4096" in " ".join(s.view.note_text.split())
            assert s.app.prompt.text == "double a number"


async def test_an_engine_that_is_not_there_is_told_at_once_and_tried_again() -> None:
    """Before any prompt the trouble is on the screen; a prompt is tried, fails once, and stays."""
    url = free_url()
    async with session_on(url) as s:
        await s.until(lambda: "failed" in s.app.status.text)
        assert url.rpartition("/")[0].removeprefix("http://") in s.app.transcript.notice_text

        await s.ask("double a number")
        await s.until_over()
        assert s.text.count("failed:") == 1
        assert s.app.prompt.text == "double a number"


async def test_a_bug_is_told_and_the_conversation_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody foresaw does not end the application; the log has its traceback."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("first")
            await s.until_over()
            with monkeypatch.context() as broken:
                broken.setattr("tui.answering.answer", None)
                await s.ask("second")
                await s.until_over()
            assert s.phase == "failed"
            assert "This is a bug" in s.text
            assert "Traceback" in caplog.text
            assert s.app.prompt.text == "second"

            await s.pilot.press("enter")
            await s.until(lambda: s.phase == "done")


@contextmanager
def deaf_server() -> Iterator[str]:
    """An address where connections are taken and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


async def test_an_engine_that_does_not_come_up_can_be_left() -> None:
    """Quitting does not wait for it."""
    with deaf_server() as url:
        async with session_on(url) as s:
            assert "starting engine" in s.app.status.text
            began = time.monotonic()
            await s.pilot.press("ctrl+q")

    assert s.app.return_code == 0
    assert time.monotonic() - began < 5


async def test_a_prompt_to_an_engine_that_does_not_come_up_can_be_taken_back() -> None:
    """Escape works before there is anything to stop."""
    with deaf_server() as url:
        async with session_on(url) as s:
            await s.ask("double a number")
            assert "starting engine" in s.app.status.text
            await s.pilot.press("escape", "escape")
            await s.until(lambda: s.app.prompt.text == "double a number")

            assert not s.app.busy
            assert not s.app.prompt.held


async def test_an_answer_without_code_shows_its_reasoning() -> None:
    """The text that came stays unfolded, and a line says that there is no code."""
    with ScriptedEndpoint(["## Intent\nI would rather not.\n"]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()

            assert "I would rather not." in s.text
            assert "no code" in s.view.note_text


async def test_text_without_our_format_is_shown() -> None:
    """A model that only chats is heard."""
    with ScriptedEndpoint(["Hello! How can I help?"]) as server:
        async with session_on(server) as s:
            await s.ask("hello")
            await s.until_over()

            assert "How can I help?" in s.text
