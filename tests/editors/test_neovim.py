"""A real Neovim with our plugin, the real server, and a model that says what the test scripts.

Skipped where there is no Neovim 0.11 or newer; `ASSISTANT_TEST_NVIM` names one that is not on the
path. `make test-editors` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.neovim import Neovim, find_neovim
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

PROGRAM, REASON = find_neovim()
pytestmark = pytest.mark.skipif(not PROGRAM, reason=REASON)

TEXT = """\
SMILE = "😀"; x = 1


class Shop:
	def total(self, prices):
		\"\"\"Sum of the prices. 😀\"\"\"


y = 2
"""
BODY = """\
		result = 0
		for price in prices:
			result += price
		return result
"""
FILLED = TEXT.replace('😀"""\n', '😀"""\n' + BODY)
ANSWER = """\
## Intent
The prices are to be added.
## Steps
1. Add them one by one.
## Formulas
None
## Edge cases
- no prices: 0
## Code
```python
def total(self, prices):
    \"\"\"Sum of the prices.\"\"\"
    result = 0
    for price in prices:
        result += price
    return result
```
"""
IDLE = "not require('assistant').is_running()"

Open = Callable[..., Neovim]


@pytest.fixture
def open_editor(tmp_path: Path) -> Iterator[Open]:
    """Open Neovim on the text, with a model that gives these replies."""
    with ExitStack() as stack:

        def start(*replies: Reply | str, text: str = TEXT) -> Neovim:
            endpoint = stack.enter_context(ScriptedEndpoint(replies))
            file = tmp_path / "shop.py"
            file.write_bytes(text.encode())
            environment = {"ASSISTANT_ENDPOINT_URL": endpoint.url}
            return stack.enter_context(Neovim(PROGRAM, file, environment))

        yield start


def test_the_command_writes_the_body_in_one_undo_step(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(6)
    before = editor.lua("return vim.fn.undotree().seq_cur")

    editor.lua("vim.cmd('AssistantImplement')")
    editor.wait_until(f"vim.api.nvim_buf_line_count(0) > 9 and {IDLE}")

    assert editor.text() == FILLED
    assert editor.lua("return vim.fn.undotree().seq_cur") == before + 1
    editor.lua("vim.cmd('silent undo')")
    assert editor.text() == TEXT


def test_a_body_with_an_import_is_one_undo_step_too(open_editor: Open) -> None:
    answer = ANSWER.replace("def total", "import math\n\n\ndef total", 1)
    answer = answer.replace("    result = 0\n", "    result = math.fsum(())\n")
    editor = open_editor(answer)
    editor.put_cursor(6)

    editor.lua("vim.cmd('AssistantImplement')")
    editor.wait_until(f"vim.api.nvim_buf_line_count(0) > 9 and {IDLE}")

    assert editor.text().startswith('import math\n\n\nSMILE = "😀"')
    editor.lua("vim.cmd('silent undo')")
    assert editor.text() == TEXT


def test_the_editors_own_code_action_does_the_same(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(5)

    editor.lua("vim.lsp.buf.code_action({ apply = true })")
    editor.wait_until("vim.api.nvim_buf_line_count(0) > 9")

    assert editor.text() == FILLED


def test_the_reasoning_shows_while_it_comes(open_editor: Open) -> None:
    reply = Reply.of(ANSWER)
    index = ANSWER.index("## Formulas") // 8
    reply.hold(index)
    editor = open_editor(reply)
    editor.lua(
        "_G.shown = {}\n"
        "vim.api.nvim_create_autocmd('LspProgress', { callback = function(event)\n"
        "  table.insert(_G.shown, event.data.params.value.message or '')\n"
        "end })"
    )
    editor.put_cursor(6)

    editor.lua("vim.cmd('AssistantImplement')")
    reply.wait_sent(index)
    editor.wait_until("table.concat(_G.shown, '|'):find('thinking: Steps', 1, true) ~= nil")
    assert editor.text() == TEXT

    reply.release()
    editor.wait_until(IDLE)
    assert editor.text() == FILLED


def test_typing_elsewhere_meanwhile_is_kept(open_editor: Open) -> None:
    reply = Reply.of(ANSWER)
    reply.hold(len(reply.chunks))
    editor = open_editor(reply)
    editor.put_cursor(6)
    editor.lua("vim.cmd('AssistantImplement')")
    reply.wait_sent(len(reply.chunks))

    editor.lua("vim.api.nvim_buf_set_text(0, 0, 0, 0, 0, { '# 😀 first', '' })")
    reply.release()
    editor.wait_until(f"vim.api.nvim_buf_line_count(0) > 10 and {IDLE}")

    assert editor.text() == "# 😀 first\n" + FILLED


def test_cancelling_stops_the_model_and_leaves_the_buffer(open_editor: Open) -> None:
    reply = Reply.of(ANSWER)
    reply.hold(20)
    editor = open_editor(reply)
    editor.put_cursor(6)
    editor.lua("vim.cmd('AssistantImplement')")
    reply.wait_sent(20)

    editor.lua("vim.cmd('AssistantCancel')")

    reply.wait_closed()
    editor.wait_until(IDLE)
    assert editor.text() == TEXT
    assert "rror" not in editor.messages()


def test_a_file_with_dos_line_endings_keeps_them(open_editor: Open) -> None:
    editor = open_editor(ANSWER, text=TEXT.replace("\n", "\r\n"))
    editor.put_cursor(6)

    editor.lua("vim.cmd('AssistantImplement')")
    editor.wait_until(f"vim.api.nvim_buf_line_count(0) > 9 and {IDLE}")

    assert editor.lua("return vim.bo.fileformat") == "dos"
    assert editor.text() == FILLED


def test_a_place_without_a_stub_says_so(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(1)

    editor.lua("vim.cmd('AssistantImplement')")

    editor.wait_until("vim.fn.execute('messages'):find('No function', 1, true) ~= nil")
    assert editor.text() == TEXT


def test_checkhealth_finds_everything(open_editor: Open) -> None:
    editor = open_editor(ANSWER)

    editor.lua("vim.cmd('checkhealth assistant')")

    report = editor.text()
    assert "serves 1 buffer(s)" in report
    assert "ERROR" not in report
    assert "WARNING" not in report


def test_the_help_has_its_tags(open_editor: Open, tmp_path: Path) -> None:
    editor = open_editor(ANSWER)
    source = Path(__file__).parents[2] / "lsp" / "clients" / "neovim" / "doc" / "assistant.txt"
    (tmp_path / "assistant.txt").write_text(source.read_text())

    editor.lua(f"vim.cmd.helptags('{tmp_path}')")

    tags = (tmp_path / "tags").read_text()
    assert ":AssistantImplement\t" in tags
    assert "assistant-config\t" in tags
