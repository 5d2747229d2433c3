"""A real Neovim with our plugin, the real server, and a model that says what the test scripts.

One editor serves all tests of a file; each has a file of its own. Skipped where there is no
Neovim 0.11 or newer; `make test-editors` fetches one.
"""

from __future__ import annotations

import pytest

from tests.support.neovim import Neovim, find_neovim
from tests.support.neovim_scene import (
    ANSWER,
    FILLED,
    NOTHING_PENDING,
    TEXT,
    UNDO_STEPS,
    Open,
    offered,
    page,
    run,
)
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

PROGRAM, REASON = find_neovim()
pytestmark = pytest.mark.skipif(not PROGRAM, reason=REASON)


def test_a_body_is_previewed_and_enters_the_buffer_in_one_undo_step_when_accepted(
    open_editor: Open,
) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(6)
    steps = editor.lua(UNDO_STEPS)

    run(editor, "AssistantImplement")
    preview = offered(editor)

    assert preview.startswith("▎ <M-y> accept  <M-n> reject  <M-r> why · Implement total, offered")
    assert "· parsed: " in preview
    assert "▎         result += price" in preview
    assert "are to be added" not in preview
    assert editor.text() == TEXT

    editor.type("<M-y>")
    editor.until(lambda: editor.text() == FILLED and not editor.preview())
    editor.wait_until(NOTHING_PENDING)
    assert editor.lua(UNDO_STEPS) == steps + 1
    assert len(editor.messages().strip().splitlines()) == 1  # more would wait for a key
    editor.type("u")
    editor.until(lambda: editor.text() == TEXT)


def test_a_body_with_an_import_is_one_undo_step_too(open_editor: Open) -> None:
    answer = ANSWER.replace("def total", "import math\n\n\ndef total", 1)
    editor = open_editor(answer.replace("    result = 0\n", "    result = math.fsum(())\n"))
    editor.put_cursor(6)

    run(editor, "AssistantImplement")
    offered(editor)
    run(editor, "AssistantAccept")

    editor.until(lambda: editor.text().startswith('import math\n\n\nSMILE = "😀"'))
    editor.type("u")
    editor.until(lambda: editor.text() == TEXT)


def test_rejecting_takes_the_offer_and_its_keys_away(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(6)
    run(editor, "AssistantImplement")
    offered(editor)

    editor.type("<M-n>")

    editor.until(lambda: not editor.preview())
    editor.wait_until(NOTHING_PENDING)
    assert editor.text() == TEXT
    run(editor, "AssistantAccept")
    editor.until(lambda: "nothing to accept" in editor.messages())
    assert editor.text() == TEXT


def test_the_reasoning_streams_into_a_window_that_q_closes(open_editor: Open) -> None:
    reply = Reply.of(ANSWER)
    steps, end = ANSWER.index("## Formulas") // 8, ANSWER.index("return result") // 8
    reply.hold(steps)
    reply.hold(end)
    editor = open_editor(reply)
    editor.put_cursor(6)
    run(editor, "AssistantImplement")
    reply.wait_sent(steps)
    editor.until(lambda: "Steps" in editor.preview())

    run(editor, "AssistantReasoning")
    editor.until(lambda: "Add them" in page(editor))
    assert "no prices" not in page(editor)

    reply.release(steps)
    editor.until(lambda: "no prices" in page(editor) and "result += price" in page(editor))
    assert "Code (not checked yet)" in page(editor)
    editor.until(lambda: "unchecked\n▎ def total" in editor.preview())  # drawn a moment later
    assert editor.text() == TEXT

    reply.release(end)
    editor.until(lambda: "to be accepted or rejected" in page(editor))
    editor.lua("vim.cmd('wincmd l')")
    editor.type("q")
    editor.until(lambda: page(editor) == "")
    assert editor.text() == TEXT


def test_cancelling_in_the_middle_stops_the_model_and_leaves_the_buffer(open_editor: Open) -> None:
    reply = Reply.of(ANSWER)
    reply.hold(20)
    editor = open_editor(reply)
    editor.put_cursor(6)
    run(editor, "AssistantImplement")
    reply.wait_sent(20)

    run(editor, "AssistantCancel")

    reply.wait_closed()
    editor.until(lambda: not editor.preview())
    assert editor.text() == TEXT
    assert editor.messages().strip() == ""
    run(editor, "AssistantCancel")
    editor.until(lambda: "nothing is being written" in editor.messages())


def test_typing_elsewhere_meanwhile_is_kept(open_editor: Open) -> None:
    reply = Reply.of(ANSWER)
    reply.hold(len(reply.chunks))
    editor = open_editor(reply)
    editor.put_cursor(6)
    run(editor, "AssistantImplement")
    reply.wait_sent(len(reply.chunks))

    editor.type("ggO# 😀 first<Esc>")
    reply.release()
    offered(editor)
    editor.type("Go# last<Esc>")
    run(editor, "AssistantAccept")

    whole = "# 😀 first\n" + FILLED + "# last\n"
    editor.until(lambda: editor.text() == whole)


def test_lines_that_were_changed_are_not_overwritten(open_editor: Open) -> None:
    editor = open_editor(ANSWER)
    editor.put_cursor(6)
    run(editor, "AssistantImplement")
    offered(editor)

    editor.put_cursor(5)
    editor.type("A  # mine<Esc>")
    editor.wait_until("vim.api.nvim_get_mode().mode == 'n'")
    changed = editor.text()
    run(editor, "AssistantAccept")

    editor.until(lambda: "nothing was applied" in editor.messages())
    assert editor.text() == changed == TEXT.replace("prices):", "prices):  # mine")


def test_an_answer_that_fails_its_check_is_replaced_by_the_next_one(open_editor: Open) -> None:
    wrong = ANSWER.replace("return result", "return resutl")
    reply = Reply.of(ANSWER)
    middle = ANSWER.index("for price") // 8
    reply.hold(middle)
    editor = open_editor(wrong, reply)
    editor.put_cursor(6)

    run(editor, "AssistantImplement")
    reply.wait_sent(middle)
    editor.until(lambda: editor.preview().endswith("result = 0"))
    assert "resutl" not in editor.preview()
    reply.release()

    assert "resutl" not in "".join(offered(editor).splitlines()[1:])
    run(editor, "AssistantAccept")
    editor.until(lambda: editor.text() == FILLED)


def test_an_edit_for_another_version_is_refused_and_the_server_told(open_editor: Open) -> None:
    editor = open_editor()
    edit = (
        "local edits = {{ {{ range = {{ start = {{ line = 0, character = 0 }},"
        " ['end'] = {{ line = 0, character = 0 }} }}, newText = 'new' }} }}\n"
        "local document = {{ uri = vim.uri_from_bufnr(0), version = {} }}\n"
        "local client = vim.lsp.get_clients({{ name = 'assistant' }})[1]\n"
        "return client.handlers['workspace/applyEdit'](nil, {{ edit = {{"
        " documentChanges = {{ {{ textDocument = document, edits = edits }} }} }} }},"
        " {{ client_id = client.id, method = 'workspace/applyEdit' }})"
    )

    refused = editor.lua(edit.format(7))

    assert refused == {"applied": False, "failureReason": "the buffer is at version 0, not 7"}
    assert editor.text() == TEXT
    assert editor.lua(edit.format(0))["applied"] is True
    assert editor.text() == "new" + TEXT


def test_an_explanation_opens_beside_the_code(open_editor: Open) -> None:
    editor = open_editor("It adds the prices.\n")
    editor.put_cursor(6)

    run(editor, "AssistantExplain")

    editor.until(lambda: "It adds the prices." in page(editor))
    assert editor.text() == TEXT


def test_lines_are_rewritten_as_it_is_said(open_editor: Open) -> None:
    text = "first = 1\nsecond = 2\nthird = 3\n"
    editor = open_editor("```python\nsecond = 22\n```", text=text)

    run(editor, "2AssistantRewrite make it greater")
    offered(editor)
    run(editor, "AssistantAccept")

    editor.until(lambda: editor.text() == text.replace("= 2\n", "= 22\n"))


ASKED = """\
vim.ui.input = function(options, done)
  vim.g.asked = options.prompt
  done({answer})
end
"""
REWRITE = """\
vim.lsp.buf.code_action({ apply = true, filter = function(action)
  return vim.startswith(action.title, 'Rewrite')
end })"""


@pytest.mark.parametrize("by", [REWRITE, "vim.cmd('1AssistantRewrite')"])
def test_how_to_rewrite_is_asked_where_nothing_says_so(
    by: str, open_editor: Open, neovim_and_model: tuple[Neovim, ScriptedEndpoint]
) -> None:
    text = "first = 1\n\nsecond = 2\n"
    editor = open_editor("```python\nfirst = 11\n```", text=text)
    before = len(neovim_and_model[1].requests)
    editor.put_cursor(1)
    editor.lua(
        "vim.g.asked = ''; _G.input = _G.input or vim.ui.input\n" + ASKED.format(answer="nil")
    )

    editor.lua(by)
    editor.wait_until("vim.g.asked == 'Rewrite how? '")
    editor.lua("vim.g.asked = ''\n" + ASKED.format(answer="'make it greater'"))
    editor.lua(by)
    offered(editor)
    run(editor, "AssistantAccept")

    editor.until(lambda: editor.text() == text.replace("= 1\n", "= 11\n"))
    (request,) = neovim_and_model[1].requests[before:]  # nothing was sent when nothing was said
    assert "make it greater" in str(request)
    assert "no instruction" not in editor.messages()
    editor.lua("vim.ui.input = _G.input")


def test_what_a_linter_said_goes_with_the_request_for_a_fix(
    open_editor: Open, neovim_and_model: tuple[Neovim, ScriptedEndpoint]
) -> None:
    editor = open_editor(
        "```python\ndef half(n):\n    return n / 2\n```", text="def half(n):\n    return m / 2\n"
    )
    editor.lua(
        "local space = vim.api.nvim_create_namespace('linter')\n"
        "local found = { lnum = 1, col = 11, message = 'm is not there', code = 'F821' }\n"
        "vim.diagnostic.set(space, 0, { found })"
    )
    editor.put_cursor(2)

    run(editor, "AssistantFix")
    offered(editor)
    editor.type("<M-y>")

    editor.until(lambda: "return n / 2" in editor.text())
    assert "m is not there [F821]" in str(neovim_and_model[1].requests[-1])
