"""Writing, sending and recalling prompts."""

from __future__ import annotations

import pytest
from textual import events
from textual._xterm_parser import XTermParser

from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import ANSWER, session_on
from tui import terminal_keys


async def test_the_keys_are_told_on_the_screen() -> None:
    """How to send, to start a line, to get help and to leave is visible from the start."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server, size=(80, 24)) as s:
            for words in ("enter send", "ctrl+j newline", "f1 help", "ctrl+q quit"):
                assert words in s.text


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter"])
async def test_a_new_line_is_not_sent(key: str) -> None:
    """Three keys start a line; Enter then sends both lines."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.pilot.press("a", key, "b")
            assert s.app.prompt.text == "a\nb"
            await s.pilot.press("enter")
            await s.until_over()

            assert server.requests[0]["messages"][-1]["content"] == "a\nb"
            assert s.app.prompt.text == ""


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("\x1b\r", ["alt+enter"]),
        ("\x1b[13;3u", ["alt+enter"]),
        ("\x1b[13;2u", ["shift+enter"]),
        ("\n", ["ctrl+j"]),
        ("\r", ["enter"]),
        ("a\x1b\rb\r", ["a", "alt+enter", "b", "enter"]),
    ],
)
def test_what_terminals_send_for_a_new_line_is_understood(sent: str, keys: list[str]) -> None:
    """With the kitty protocol and without; taken for Enter, half a prompt would be sent."""
    terminal_keys.teach()
    parsed = list(XTermParser().feed(sent))

    assert [event.key for event in parsed if isinstance(event, events.Key)] == keys


async def test_a_blank_prompt_is_not_sent() -> None:
    """Enter on spaces does nothing."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.pilot.press("space", "enter")

            assert s.app.turn is None
            assert server.requests == []


async def test_the_prompt_grows_to_ten_lines() -> None:
    """Then it scrolls; the transcript keeps the rest of the screen."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            heights = []
            for _ in range(14):
                await s.pilot.press("x", "ctrl+j")
                heights.append(s.app.prompt.content_size.height)

        assert heights[0] == 2
        assert max(heights) == 10
        assert heights == sorted(heights)


async def test_earlier_prompts_come_back_with_the_up_key() -> None:
    """Newest first; down goes forward again to the draft."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            for text in ("first", "second"):
                await s.ask(text)
                await s.until_over()
            s.app.prompt.insert("draft")
            seen = []
            for key in ("up", "up", "up", "down", "down"):
                await s.pilot.press(key)
                seen.append(s.app.prompt.text)

        assert seen == ["second", "first", "first", "second", "draft"]


async def test_an_edited_recall_is_not_lost() -> None:
    """Looking further back keeps what was changed."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            for text in ("first", "second"):
                await s.ask(text)
                await s.until_over()
            await s.pilot.press("up", "x", "up")
            assert s.app.prompt.text == "first"
            await s.pilot.press("down", "down")

            assert s.app.prompt.text == "secondx"


async def test_up_moves_within_a_prompt_before_it_leaves_it() -> None:
    """In the second line of a draft, up goes to the first line."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("first")
            await s.until_over()
            await s.pilot.press("a", "ctrl+j", "b", "up")
            assert s.app.prompt.text == "a\nb"
            assert s.app.prompt.cursor_location == (0, 1)
            await s.pilot.press("up")

            assert s.app.prompt.text == "first"


async def test_a_prompt_sent_too_early_stays_in_its_place() -> None:
    """While an answer is being written another prompt is not sent, and not lost."""
    reply = Reply.of(ANSWER)
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            s.app.prompt.insert("too early")
            await s.pilot.press("enter")
            await s.until(lambda: "your prompt stays here" in s.text)
            assert s.app.prompt.text == "too early"
            assert len(server.requests) == 1
            reply.release()
            await s.until_over()

            assert s.app.prompt.text == "too early"


async def test_help_lists_the_keys_and_escape_closes_it_without_stopping() -> None:
    """The first Escape closes what is open."""
    reply = Reply.of(ANSWER)
    reply.hold(3)
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server, size=(100, 50)) as s:
            await s.ask("double a number")
            await s.until(lambda: server.requests)
            await s.pilot.press("f1")
            for words in ("ctrl+j", "ctrl+y", "ctrl+t", "Send the prompt", "UNCHECKED"):
                assert words in s.text
            await s.pilot.press("escape")

            assert "Send the prompt" not in s.text
            assert "esc again" not in s.text
            assert s.app.busy
            reply.release()
            await s.until_over()


async def test_typing_always_reaches_the_prompt() -> None:
    """Nothing else takes the focus, not even with tab or a click into the answer."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()
            await s.pilot.press("tab")
            await s.pilot.click(s.view.code.view)
            await s.pilot.press("x")

            assert s.app.prompt.text == "x"


async def test_keys_that_arrive_at_once_act_in_their_order() -> None:
    """A busy screen, or a paste without brackets: newline and Enter keep their places."""
    keys = [*"ab", "ctrl+j", *"cd", "backspace", "enter", *"ef", "ctrl+j", "g"]
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            for key in keys:
                s.app.post_message(events.Key(key, key if len(key) == 1 else None))
            await s.until(lambda: server.requests)
            await s.until_over()

            assert server.requests[0]["messages"][-1]["content"] == "ab\nc"
            assert s.app.prompt.text == "ef\ng"


async def test_a_pasted_file_is_sent_whole_and_shown_by_its_beginning() -> None:
    """A megabyte in the transcript would slow every layout from then on."""
    text = "".join(f"line {number} of a log\n" for number in range(20_000))
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            s.app.post_message(events.Paste(text))
            await s.until(lambda: "line 19999" in s.app.prompt.text)
            await s.pilot.press("enter")
            await s.until(lambda: server.requests)
            await s.until_over()

            assert server.requests[0]["messages"][-1]["content"] == text.strip()
            assert f"{len(text)} characters in all" in s.text
            assert "line 21" not in s.text
