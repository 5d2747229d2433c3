"""Copying code: exactly what the model wrote, to every clipboard there is."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.tui.screen import ANSWER, CODE, session_on
from tui.clipboard import copy_locally, local_commands

EXACT = "def f(x):\n\treturn '[b]\x1b' + x  \n\n# \u202e \u4e16\u754c\n"


@pytest.fixture(autouse=True)
def _no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clipboard of the person who runs the tests is not touched."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_CONNECTION", "tests")


async def test_the_code_is_copied_exactly_while_the_prompt_has_the_focus() -> None:
    """Tabs, spaces at the end, control characters: the source, not its picture."""
    with ScriptedEndpoint([f"## Intent\nx\n## Code\n```python\n{EXACT}```\n"]) as server:
        async with session_on(server) as s:
            await s.ask("f")
            await s.until_over()
            assert s.app.focused is s.app.prompt
            await s.pilot.press("ctrl+y")

            assert s.app.clipboard == EXACT


async def test_the_terminal_is_asked_with_osc_52(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sequence that crosses SSH carries the same bytes."""
    written: list[str] = []
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()
            monkeypatch.setattr(s.app._driver, "write", written.append)
            await s.pilot.press("ctrl+y")

    (sequence,) = [text for text in written if text.startswith("\x1b]52;c;")]
    payload = sequence.removeprefix("\x1b]52;c;").removesuffix("\a")
    assert base64.b64decode(payload).decode() == CODE


async def test_the_copy_says_what_is_known_about_the_code() -> None:
    """Unchecked code can be copied, and is called so."""
    reply = Reply.of(ANSWER)
    reply.hold(len(reply.chunks))
    with ScriptedEndpoint([reply]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until(lambda: "return 2 * x" in s.text)
            await s.pilot.press("ctrl+y")
            await s.until(lambda: "Copied 2 lines (UNCHECKED" in s.text)

            reply.release()
            await s.until_over()
            await s.pilot.press("ctrl+y")
            await s.until(lambda: "Copied 2 lines (parsed)" in s.text)


async def test_without_code_nothing_is_copied() -> None:
    """And the user is told."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.pilot.press("ctrl+y")
            await s.until(lambda: "no code to copy" in s.text)

            assert s.app.clipboard == ""


async def test_earlier_code_is_copied_while_the_next_answer_has_none() -> None:
    """The newest code is the one that is meant."""
    second = Reply.of(ANSWER)
    second.hold(1)
    with ScriptedEndpoint([ANSWER, second]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()
            await s.ask("and another")
            await s.pilot.press("ctrl+y")

            assert s.app.clipboard == CODE
            second.release()
            await s.until_over()


async def test_a_mouse_selection_in_the_code_has_no_line_numbers() -> None:
    """Dragging over two lines and pressing ctrl+c copies their text alone."""
    with ScriptedEndpoint([ANSWER]) as server:
        async with session_on(server) as s:
            await s.ask("double a number")
            await s.until_over()
            view = s.view.code.view
            await s.pilot.mouse_down(view, offset=(4, 0))
            await s.pilot.hover(view, offset=(16, 1))
            await s.pilot.mouse_up(view, offset=(16, 1))
            await s.pilot.press("ctrl+c")

            assert s.app.clipboard.startswith("def double(x):\n    return 2")


class TestLocalProgram:
    """A clipboard program of this machine is used when the session is local."""

    def test_over_ssh_none_is_used(self) -> None:
        """It would fill the clipboard of the wrong machine."""
        assert local_commands({"SSH_CONNECTION": "1", "DISPLAY": ":0", "PATH": "/usr/bin"}) == []

    def test_without_a_display_none_is_used(self, tmp_path: Path) -> None:
        """xclip without a display would only fail."""
        program = tmp_path / "xclip"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)

        assert local_commands({"PATH": str(tmp_path)}) == []
        assert local_commands({"PATH": str(tmp_path), "DISPLAY": ":0"}) == [
            ["xclip", "-selection", "clipboard"]
        ]

    def test_tmux_is_told_even_over_ssh(self, tmp_path: Path) -> None:
        """It drops OSC 52 by default, and knows the terminal that it is shown on."""
        program = tmp_path / "tmux"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        environment = {"PATH": str(tmp_path), "SSH_CONNECTION": "1", "TMUX": "/tmp/tmux,1,0"}

        assert local_commands(environment) == [["tmux", "load-buffer", "-w", "-"]]

    async def test_the_program_gets_the_exact_text(self, tmp_path: Path) -> None:
        """Byte for byte on its standard input."""
        target = tmp_path / "clipboard"

        assert await copy_locally(EXACT, ["sh", "-c", f"cat > {target}"])
        assert target.read_bytes() == EXACT.encode()

    async def test_a_program_that_fails_or_is_missing_is_no_trouble(self) -> None:
        """OSC 52 has been written already; nothing is raised."""
        assert not await copy_locally("x", ["sh", "-c", "exit 3"])
        assert not await copy_locally("x", ["no-such-clipboard-program"])

    async def test_a_program_that_hangs_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The interface does not wait for it."""
        monkeypatch.setattr("tui.clipboard.TIMEOUT_S", 0.05)

        assert not await asyncio.wait_for(copy_locally("x", ["sleep", "30"]), 10)
