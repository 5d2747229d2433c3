"""Ghost text in a real Neovim: the embedded model, the real daemon, nothing scripted.

What the model says is its own business: the tests look at what becomes of it.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from assistant.models import store
from tests.support.neovim import Neovim, find_neovim
from tests.support.tiny_gguf import Tiny, chain_of, write

PROGRAM, REASON = find_neovim()
OLDER, NO_OLDER = find_neovim("0.11")
if not store.embedded_path().exists():
    PROGRAM, REASON = "", "the embedded model is not in this tree: make starter"

pytestmark = pytest.mark.skipif(not PROGRAM, reason=REASON)

TEXT = '''\
def mean(values):
    """The mean of the values."""


def total(values):
    """The sum of the values."""
    return sum(values)
'''
LINE = 2


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    yield folder
    assert assistant(folder, "stop").returncode == 0


@pytest.fixture(scope="module")
def shared(home: Path) -> Iterator[Neovim]:
    file = home / "first.py"
    file.touch()
    with Neovim(PROGRAM, file, {"ASSISTANT_HOME": str(home)}) as editor:
        yield editor


@pytest.fixture
def editor(shared: Neovim, tmp_path: Path) -> Neovim:
    """The editor in normal mode on a text of its own, the cursor on the line to be completed."""
    file = tmp_path / "mean.py"
    file.write_text(TEXT)
    shared.open(file)
    shared.put_cursor(LINE)
    return shared


def assistant(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASSISTANT_HOME": str(home)}
    command = [sys.executable, "-m", "assistant", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def status(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(assistant(home, "status", "--json").stdout)
    return found


def suggested(editor: Neovim, keys: str = "oreturn su") -> str:
    """Type the beginning of a line; what is suggested for the rest.

    A machine that is too busy for the suggestion in time gets the last key once more, as from a
    person who waited for it.
    """
    editor.type(keys)
    patience = itertools.count(1)
    waiting = "not vim.tbl_isempty(vim.lsp.get_clients()[1].requests)"

    def shown() -> str:
        if next(patience) % 100 == 0 and not editor.lua(f"return {waiting}"):
            editor.type(f"<BS>{keys[-1]}")
        return editor.ghost()

    editor.until(shown)
    return editor.ghost()


def line(editor: Neovim) -> str:
    found: str = editor.lua("return vim.api.nvim_get_current_line()")
    return found


def test_ghost_text_is_taken_whole_and_undone_alone(editor: Neovim) -> None:
    ghost = suggested(editor)
    assert line(editor) == "    return su"

    editor.type("<Tab>")

    editor.until(lambda: line(editor) == "    return su" + ghost)
    assert not editor.ghost()
    editor.type("<Esc>u")
    editor.until(lambda: line(editor) == "    return su")


def test_it_is_taken_word_by_word_and_by_the_line(editor: Neovim) -> None:
    ghost = suggested(editor)
    rest = ghost

    for _ in range(3):
        editor.type("<M-Right>")
        before = len(rest)
        editor.until(lambda n=before: 0 < len(editor.ghost()) < n)
        rest = editor.ghost()
        assert line(editor) + rest == "    return su" + ghost
    editor.type("<M-Down>")

    editor.until(lambda: line(editor) == "    return su" + ghost)


def test_typing_into_it_keeps_the_rest_without_asking_a_model(editor: Neovim, home: Path) -> None:
    ghost = suggested(editor)
    asked = editor.lua("return #vim.tbl_keys(vim.lsp.get_clients()[1].requests)")
    editor.type(ghost[:2])

    editor.until(lambda: line(editor) == "    return su" + ghost[:2])
    editor.until(lambda: editor.ghost() == ghost[2:])
    assert asked == 0
    editor.type("<Tab>")
    editor.until(lambda: line(editor) == "    return su" + ghost)


def test_tab_at_once_after_a_key_that_was_in_it_doubles_nothing(editor: Neovim) -> None:
    ghost = suggested(editor)

    editor.type(ghost[0] + "<Tab>")  # before anybody could answer to the key

    editor.until(lambda: line(editor) == "    return su" + ghost)


def test_what_is_typed_against_it_takes_it_away(editor: Neovim) -> None:
    suggested(editor)

    editor.type("per(")

    editor.until(lambda: not editor.ghost())
    editor.type("<Tab>")
    editor.until(lambda: line(editor).startswith("    return super("))
    assert line(editor).strip() == "return super("


def test_tab_is_a_tab_where_nothing_is_shown(editor: Neovim) -> None:
    editor.lua("vim.bo.expandtab = true; vim.bo.shiftwidth = 4; vim.bo.softtabstop = 4")
    editor.type("o<Esc>")
    editor.wait_until("vim.api.nvim_get_mode().mode == 'n'")

    editor.type("i<Tab>")

    editor.until(lambda: line(editor).isspace())


def test_more_candidates_come_when_they_are_asked_for(editor: Neovim) -> None:
    suggested(editor)
    count = "require('vim.lsp._capability').all.inline_completion.active[vim.fn.bufnr()]"

    editor.type("<M-]>")

    asked = "vim.tbl_isempty(vim.lsp.get_clients()[1].requests)"
    editor.wait_until(f"{asked} and {count}:count_items() >= 1")
    assert editor.ghost()


def test_a_killed_engine_is_started_again_by_the_next_suggestion(
    editor: Neovim, home: Path
) -> None:
    suggested(editor)
    pid = status(home)["pid"]

    os.kill(pid, signal.SIGKILL)
    editor.type("<Esc>")
    suggested(editor, "otot = su")

    assert status(home)["pid"] != pid


def test_two_editors_share_one_engine(editor: Neovim, home: Path, tmp_path: Path) -> None:
    suggested(editor)
    pid = status(home)["pid"]
    file = tmp_path / "other.py"
    file.write_text(TEXT)

    with Neovim(PROGRAM, file, {"ASSISTANT_HOME": str(home)}) as other:
        other.put_cursor(LINE)
        suggested(other)

    now = status(home)
    assert now["pid"] == pid
    assert len(now["models"]) == 1


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never comes to an end."""
    parts = ("## Intent\nAdd.\n", "## Code\n```python\n", "def add(a, b):\n", "    a += 1\n")
    words = (*parts, "    a += 2\n")
    chain = chain_of(*words) | {"    a += 2\n": "    a += 1\n"}
    file = tmp_path_factory.mktemp("models") / "endless.gguf"
    return write(file, Tiny(chain=chain, words=words, context=1 << 16, format=None))


def test_somebody_who_types_fast_while_a_model_writes_loses_nothing(
    endless: Path, tmp_path: Path
) -> None:
    home, file = tmp_path / "home", tmp_path / "add.py"
    stub = 'def add(a, b):\n    """Add."""\n'
    file.write_text(stub + "\n\n" + TEXT)
    options = {"model": str(endless), "inlineModel": "starter", "maxTokens": 60_000}
    with ExitStack() as stack:
        stack.callback(assistant, home, "stop")
        environment = {"ASSISTANT_HOME": str(home)}
        editor = stack.enter_context(Neovim(PROGRAM, file, environment, options=options))
        editor.put_cursor(2)
        editor.lua("vim.cmd('AssistantImplement')")
        editor.until(lambda: "a += 2" in editor.preview())

        editor.put_cursor(6)
        typed = "".join(f"line_{number} = {number}" + "<CR>" for number in range(40))
        editor.type("o" + typed + "return s")
        editor.until(lambda: line(editor).strip() == "return s")
        suggested(editor, "u")
        editor.type("<Esc>")
        editor.lua("vim.cmd('AssistantCancel')")
        editor.until(lambda: not editor.preview())

        lines = "".join(f"    line_{number} = {number}\n" for number in range(40))
        expected = TEXT.replace('values."""\n', f'values."""\n{lines}    return su\n', 1)
        assert editor.text() == stub + "\n\n" + expected
        while status(home)["queue"]["running"]:  # each asking takes a process and its time
            assert editor.lua("return true")


@pytest.mark.skipif(not OLDER, reason=NO_OLDER)
def test_neovim_0_11_has_the_suggestion_among_its_completions(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mean.py"
    file.write_text(TEXT)
    with Neovim(OLDER, file, {"ASSISTANT_HOME": str(home)}) as editor:
        editor.put_cursor(LINE)
        editor.type("oreturn su<C-x><C-o>")
        chosen = "(vim.fn.complete_info({ 'items' }).items[1] or {}).menu == 'assistant'"
        editor.wait_until(chosen)
        word = editor.lua("return vim.fn.complete_info({ 'items' }).items[1].word")
        editor.type("<C-y>")

        editor.until(lambda: line(editor) == "    return " + word)
        assert " " in word
