"""A real VS Code with our extension, the real server, daemon and embedded model.

`make test-editors` runs them; it fetches what is missing. One editor serves all tests of this file,
each test has files of its own. Pictures are kept in `out/editors/screenshots`.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.models import store
from tests.support.daemons import wait_until
from tests.support.editors_cache import ROOT
from tests.support.neovim import Neovim, find_neovim
from tests.support.scripted_endpoint import ScriptedEndpoint
from tests.support.terminal import interface
from tests.support.tiny_gguf import Tiny, chain_of, write
from tests.support.vscode import STATUS, VSCode, Window, find_vscode, vscode

TOOLS, REASON = find_vscode()
pytestmark = [
    pytest.mark.skipif(TOOLS is None, reason=REASON),
    pytest.mark.skipif(not store.embedded_path().exists(), reason="no embedded model in this tree"),
]
READY = f"{STATUS} .codicon-sparkle"
DOUBLE = "def double_all(numbers):\n"
VOWELS = 'def count_vowels(text):\n    """Count the vowels in a text."""\n'
BODY = "    return sum(1 for c in text.lower() if c in 'aeiou')\n"
ENDLESS = ("## Intent\nAdd.\n## Code\n```python\ndef add(a, b):\n", "    a += 1\n", "    a += 2\n")
ADD = 'def add(a, b):\n    """Add two numbers."""\n'


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The assistant's own folder in these tests; its path is short, for the daemon's socket."""
    folder = Path(tempfile.mkdtemp(prefix="home-"))
    yield folder
    assistant(folder, "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def editor(home: Path) -> Iterator[VSCode]:
    assert TOOLS is not None
    with vscode(TOOLS, {"ASSISTANT_HOME": str(home)}) as running:
        yield running


@pytest.fixture(scope="module")
def shared(editor: VSCode, tmp_path_factory: pytest.TempPathFactory) -> Window:
    return editor.window(tmp_path_factory.mktemp("project"))


@pytest.fixture
def window(shared: Window) -> Iterator[Window]:
    """A window without open files, and with the settings as they are at first."""
    yield shared
    shared.set()
    shared.run("File: Save All")
    shared.run("View: Close All Editors")
    shared.wait_for(".tab", "hidden")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that does not end for minutes; its layers make it as slow as a large one."""
    file = tmp_path_factory.mktemp("models") / "endless.gguf"
    chain = chain_of(*ENDLESS) | {ENDLESS[2]: ENDLESS[1]}
    write(file, Tiny(chain=chain, words=ENDLESS, context=1 << 14, layers=32, format=None))
    return file


def assistant(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "assistant", *arguments]
    environment = {**os.environ, "ASSISTANT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.stdout


def status(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(assistant(home, "status", "--json"))
    return found


@contextmanager
def another(editor: VSCode, folder: Path, **settings: Any) -> Iterator[Window]:
    """A window of the test's own, with settings of its workspace."""
    window = editor.window(folder, **settings)
    yield window
    window.close()


def begin(window: Window, name: str, text: str) -> None:
    """Make a file and open it, the cursor at its end."""
    (window.folder / name).write_bytes(text.encode())
    window.open(name, shows=text.strip().splitlines()[0])
    window.press("Control+End")


def begin_ready(window: Window, name: str, text: str) -> None:
    begin(window, name, text)
    window.wait_for(READY)


def processes_of(home: Path) -> Iterator[Path]:
    """The folders in /proc of all processes that use this home."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ASSISTANT_HOME={home}\0".encode() in (folder / "environ").read_bytes():
                yield folder
        except OSError:
            continue


def test_ghost_text_is_taken_word_by_word_and_whole(window: Window) -> None:
    begin_ready(window, "double.py", DOUBLE)

    window.type("    return [")
    suggested = window.ghost_text()
    window.screenshot("vscode-ghost-text")
    window.press("Control+ArrowRight")
    word = window.saved("double.py").removeprefix(DOUBLE + "    return [").removesuffix("]")
    assert word and suggested.startswith(word) and word != suggested

    assert window.ghost_text() == suggested.removeprefix(word)
    window.press("Tab")

    text = window.saved("double.py")
    assert text == f"{DOUBLE}    return [{suggested}]"
    ast.parse(text)


def test_a_function_is_written_read_and_accepted_in_one_undo_step(window: Window) -> None:
    text = VOWELS + "\n\nprint(count_vowels('hello'))\n"
    begin_ready(window, "vowels.py", text)
    window.put_cursor(1)

    window.run("Assistant: Implement This Function")
    window.wait_for(".codelens-decoration a:has-text('Accept')")
    page = window.wait_for_page("to be accepted or rejected")
    for heading in ("Intent", "Steps", "Edge cases", "Code (parsed)"):
        assert heading in page
    window.screenshot("vscode-proposal")
    assert window.saved("vowels.py") == text

    window.press("Control+Alt+Enter")
    window.wait_for_text("return sum(1 for c")
    assert window.saved("vowels.py") == text.replace(VOWELS, VOWELS + BODY)
    window.wait_for_page("accepted")

    window.press("Control+z")
    assert window.saved("vowels.py") == text


def test_what_is_rejected_is_gone(window: Window) -> None:
    begin_ready(window, "rejected.py", VOWELS)
    window.put_cursor(1)
    window.run("Assistant: Implement This Function")
    window.wait_for(".codelens-decoration a:has-text('Accept')")

    window.click_lens("Reject")
    window.wait_for(".codelens-decoration a", "hidden")

    window.press("Control+Alt+Enter")
    assert window.saved("rejected.py") == VOWELS


def test_a_lens_accepts_and_typing_above_meanwhile_is_kept(window: Window) -> None:
    begin_ready(window, "above.py", "\n\n\n" + VOWELS)
    window.put_cursor(4)
    window.run("Assistant: Implement This Function")
    window.put_cursor(1)
    window.type("# typed while it was written", delay=10)
    window.wait_for(".codelens-decoration a:has-text('Accept')")

    window.click_lens("Accept")
    window.wait_for_text("return sum(1 for c")

    assert window.saved("above.py") == f"# typed while it was written\n\n\n{VOWELS}{BODY}"


def test_a_cancel_in_the_middle_frees_the_engine(
    editor: VSCode, home: Path, endless: Path, tmp_path: Path
) -> None:
    typed = "print('typed fast while a model is at work')\n"
    settings = {"model": str(endless), "maxTokens": 16_000, "inline": False}
    with another(editor, tmp_path, **settings) as window:
        begin(window, "cancelled.py", ADD + "\n\n")
        window.put_cursor(1)
        window.run("Assistant: Implement This Function")
        window.wait_for_page("a += 2")
        window.screenshot("vscode-running")

        window.put_cursor(4)
        window.type(typed, delay=5)
        window.run("Assistant: Stop Writing")
        window.wait_for(".codelens-decoration a", "hidden")

        wait_until(lambda: status(home)["queue"]["running"] == 0, "the engine is free")
        assert window.saved("cancelled.py") == f"{ADD}\n{typed}\n"


def test_a_killed_daemon_is_replaced(window: Window, home: Path) -> None:
    begin_ready(window, "killed.py", DOUBLE)
    before = status(home)["pid"]

    os.kill(before, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{before}/maps").exists() or not mapped(before), "it died")
    window.type("    return [")
    wait_until(lambda: status(home).get("pid") not in (None, before), "another daemon runs")
    window.wait_for(READY)
    window.type("x")

    window.ghost_text()
    assert window.notifications() == []


def mapped(pid: int | str) -> bool:
    """Whether a process has a model in its memory."""
    try:
        return ".gguf" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def test_two_windows_share_one_daemon_and_one_copy_of_the_model(
    editor: VSCode, window: Window, home: Path, tmp_path: Path
) -> None:
    begin_ready(window, "first.py", DOUBLE)
    with another(editor, tmp_path) as other:
        begin_ready(other, "second.py", DOUBLE)
        for each in (window, other):
            each.type("    return [")
            each.ghost_text()

        lines = [(one / "cmdline").read_bytes() for one in processes_of(home)]
        holders = [one.name for one in processes_of(home) if mapped(one.name)]
        assert sum(line.endswith(b"assistant\0lsp\0") for line in lines) == 2
        assert holders == [str(status(home)["pid"])]


def test_windows_neovim_and_the_terminal_share_one_daemon_and_one_copy_of_the_model(
    editor: VSCode, window: Window, home: Path, tmp_path: Path
) -> None:
    program, reason = find_neovim()
    if not program:
        pytest.skip(reason)
    environment = {"ASSISTANT_HOME": str(home)}
    file = tmp_path / "third.py"
    file.write_text(VOWELS)
    begin_ready(window, "fourth.py", DOUBLE)
    (tmp_path / "folder").mkdir()
    with (
        another(editor, tmp_path / "folder") as other,
        Neovim(program, file, environment) as neovim,
        interface(environment) as terminal,
    ):
        begin_ready(other, "fifth.py", DOUBLE)
        for each in (window, other):
            each.type("    return [")
            each.ghost_text()
        neovim.lua("vim.cmd('AssistantImplement')")
        neovim.until(lambda: "aeiou" in neovim.preview())
        terminal.press("a function `count_vowels(text)` that counts the vowels in a text\r")
        wait_until(lambda: "aeiou" in terminal.drawn, "the terminal shows the code")

        holders = [one.name for one in processes_of(home) if mapped(one.name)]
        assert holders == [str(status(home)["pid"])]


def test_a_problem_is_fixed_and_a_selection_rewritten_as_one_says(
    editor: VSCode, tmp_path: Path
) -> None:
    """By a model that says what the test scripts: the embedded one can do neither."""
    answers = [f'```json\n{{\n    "{name}": 1\n}}\n```' for name in "abc"]
    with (
        ScriptedEndpoint(answers) as endpoint,
        another(editor, tmp_path, endpoint=endpoint.url) as window,
    ):
        begin(window, "data.json", '{\n    "a": 1,\n}\n')
        window.wait_for(".statusbar-item[id='status.problems']:has-text('1')")
        window.press("F8")
        window.run("Assistant: Fix the Problem Here")
        window.wait_for(".codelens-decoration a:has-text('Accept')")
        window.press("Control+Alt+Enter")
        window.wait_for(".codelens-decoration a", "hidden")
        assert json.loads(window.saved("data.json")) == {"a": 1}

        for name, take in (
            ("b", lambda words: window.run("Assistant: Rewrite as I Say...", answer=words)),
            ("c", lambda words: window.act("Rewrite the selection", answer=words)),
        ):
            window.press("Control+a")
            take(f"call it {name}")
            window.wait_for(".codelens-decoration a:has-text('Accept')")
            window.press("Control+Alt+Enter")
            window.wait_for(".codelens-decoration a", "hidden")
            assert json.loads(window.saved("data.json")) == {name: 1}
            assert f"call it {name}" in endpoint.requests[-1]["messages"][-1]["content"]


def test_it_says_why_there_is_no_suggestion(editor: VSCode, tmp_path: Path) -> None:
    with another(editor, tmp_path) as window:
        begin_ready(window, "off.py", DOUBLE)
        window.set(inline=False)
        window.wait_for(f"{STATUS} .codicon-circle-outline")
        window.type("    return [1")

        window.run("Assistant: Why Is There No Suggestion?")

        window.wait_for_text("switched off")


def test_the_menu_and_the_doctor(window: Window) -> None:
    begin_ready(window, "menu.py", DOUBLE)

    window.call("click", STATUS)
    window.pick("Doctor")

    window.wait_for_text("suggestions are shown while you type")


@pytest.mark.parametrize(
    ("path", "message"),
    [("/nowhere/assistant", "There is no program"), ("/bin/false", "does not run")],
)
def test_a_program_that_is_not_there_or_ends_at_once_is_one_message_and_a_path_mends_it(
    window: Window, path: str, message: str
) -> None:
    window.set(path=path)
    window.wait_for(f"{STATUS}:has-text('failed')")
    window.wait_for(f".notification-list-item-message:has-text('{message}')")
    assert len(window.notifications()) == 1
    window.screenshot("vscode-no-program")
    window.run("Notifications: Clear All Notifications")

    window.set()

    window.wait_for(f"{STATUS}:not(:has-text('failed'))")
    begin_ready(window, f"mended{Path(path).name}.py", DOUBLE)
