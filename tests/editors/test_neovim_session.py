"""A real Neovim: its own ways to the same tasks, other files, health, help, no plugin at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.neovim import PLUGIN, Neovim, find_neovim
from tests.support.neovim_scene import ANSWER, FILLED, TEXT, Open, offered, page, run
from tests.support.scripted_endpoint import ScriptedEndpoint

PROGRAM, REASON = find_neovim()
pytestmark = pytest.mark.skipif(not PROGRAM, reason=REASON)


def test_the_editors_own_code_actions_do_the_same(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(5)
    act = (
        "vim.lsp.buf.code_action({{ apply = true, filter = function(action)"
        " return vim.startswith(action.title, '{}') end }})"
    )

    editor.lua(act.format("Implement"))
    offered(editor)
    editor.lua(act.format("Accept"))

    editor.until(lambda: editor.text() == FILLED)


def test_a_file_with_dos_line_endings_keeps_them(open_editor: Open) -> None:
    editor = open_editor(ANSWER, text=TEXT.replace("\n", "\r\n"))
    editor.put_cursor(6)

    run(editor, "AssistantImplement")
    offered(editor)
    run(editor, "AssistantAccept")

    editor.until(lambda: editor.text() == FILLED)
    assert editor.lua("return vim.bo.fileformat") == "dos"


def test_what_can_not_be_done_is_said_once(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(1)

    run(editor, "AssistantImplement")

    editor.until(lambda: "There is no function" in editor.messages())
    assert editor.messages().count("There is no function") == 1
    assert editor.text() == TEXT


def test_what_is_sent_and_how_it_stands_can_be_read(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(6)

    run(editor, "AssistantContext")
    editor.until(lambda: "Sum of the prices." in page(editor))
    run(editor, "AssistantStatus")
    editor.until(lambda: "assistant: ready" in editor.messages())
    run(editor, "AssistantWhy")
    editor.until(lambda: "no suggestion was held back here" in editor.messages())
    assert editor.lua("return require('assistant').status()") == "assistant: ready"


def test_checkhealth_finds_everything(open_editor: Open) -> None:
    editor = open_editor()

    run(editor, "checkhealth assistant")

    report = editor.text()
    assert " buffer(s)" in report
    assert "ERROR" not in report
    assert "WARNING" not in report
    run(editor, "bwipeout")


def test_every_command_is_in_the_help(open_editor: Open, tmp_path: Path) -> None:
    editor = open_editor()
    (tmp_path / "assistant.txt").write_text((PLUGIN / "doc" / "assistant.txt").read_text())

    editor.lua(f"vim.cmd.helptags('{tmp_path}')")

    tags = (tmp_path / "tags").read_text()
    commands: list[str] = editor.lua("return vim.tbl_keys(vim.api.nvim_get_commands({}))")
    ours = [name for name in commands if name.startswith("Assistant")]
    assert len(ours) > 10
    assert [name for name in ours if f":{name}\t" not in tags] == []


def test_without_the_plugin_the_configuration_alone_does(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(TEXT)
    with ScriptedEndpoint([ANSWER]) as endpoint:
        environment = {"ASSISTANT_HOME": str(tmp_path), "ASSISTANT_ENDPOINT_URL": endpoint.url}
        with Neovim(PROGRAM, file, environment, plugin=False) as editor:
            editor.put_cursor(5)
            act = (
                "vim.lsp.buf.code_action({{ apply = true, filter = function(action)"
                " return vim.startswith(action.title, '{}') end }})"
            )

            editor.lua(act.format("Implement"))
            editor.until(lambda: "Accept or reject it" in editor.messages())
            assert editor.text() == TEXT
            editor.lua(act.format("Accept"))

            editor.until(lambda: editor.text() == FILLED)
