"""Over the wire: what is offered where, before any model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lsp.generate.actions import LONGEST
from tests.lsp.conftest import Start
from tests.support.generating import ANSWER, OURS, command, held, implementing, titles
from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient, Message
from tests.support.scripted_endpoint import Reply

STUB = 'def f(x):\n    """Double x."""\n'
WRITTEN = "def g(x):\n    return 2 * x\n"
AUTOMATIC, INVOKED = 2, 1


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LspClient]:
    """A session that asks no model; its editor is one of ours."""
    home = str(tmp_path_factory.mktemp("home"))
    with LspClient({"ASSISTANT_HOME": home}) as client:
        client.initialize(capabilities=OURS)
        yield client


@pytest.fixture
def fresh() -> Iterator[LspClient]:
    with LspClient() as client:
        yield client


def opened(client: LspClient, text: str, language: str = "python") -> Buffer:
    buffer = Buffer("file:///a.py", text)
    client.open(buffer, language)
    return buffer


def diagnostic(buffer: Buffer, at: str, message: str, **more: Any) -> Message:
    start = buffer.text.index(at)
    span = {"start": buffer.position(start), "end": buffer.position(start + len(at))}
    return {"range": span, "message": message, **more}


def test_a_stub_is_offered_on_its_lines_and_the_blank_one_below_and_nowhere_else(
    client: LspClient,
) -> None:
    buffer = opened(client, f"x = 1\n\n\n{STUB}\n\ny = 2\n")

    found = {}
    for line in range(8):
        offset = len("".join(buffer.text.splitlines(True)[:line]))
        found[line] = titles(client, buffer, offset)

    assert {line for line, offered in found.items() if "Implement f" in offered} == {3, 4, 5}


def test_everything_that_can_be_done_with_a_function(client: LspClient) -> None:
    buffer = opened(client, WRITTEN)

    assert titles(client, buffer) == [
        "Write a docstring for g",
        "Write tests for g",
        "Rewrite g ...",
        "Explain g",
    ]


def test_what_has_a_docstring_needs_none(client: LspClient) -> None:
    buffer = opened(client, 'def g(x):\n    """Double."""\n    return 2 * x\n')

    assert "Write a docstring for g" not in titles(client, buffer)
    assert "Write tests for g" in titles(client, buffer)


def test_a_stub_needs_neither_tests_nor_docstring(client: LspClient) -> None:
    buffer = opened(client, STUB)

    assert titles(client, buffer) == ["Implement f", "Rewrite f ...", "Explain f"]


def test_a_movement_of_the_cursor_is_offered_only_what_is_there_to_do(client: LspClient) -> None:
    """Editors ask at each, and show a lamp when there is anything."""
    buffer = opened(client, f"{WRITTEN}\n\n{STUB}")

    assert titles(client, buffer, 0, triggerKind=AUTOMATIC) == []
    stub = buffer.text.index("def f")
    assert titles(client, buffer, stub, triggerKind=AUTOMATIC) == ["Implement f"]
    assert "Explain g" in titles(client, buffer, 0, triggerKind=INVOKED)


def test_a_diagnostic_can_be_fixed(client: LspClient) -> None:
    buffer = opened(client, "def g(x):\n    return 2 * y\n")
    wrong = diagnostic(buffer, "y", "undefined name 'y'", code="F821", source="ruff")

    actions = client.code_actions(buffer, 0, diagnostics=[wrong], triggerKind=AUTOMATIC)

    (action,) = actions
    assert action["title"] == "Fix: undefined name 'y'"
    assert action["kind"] == "quickfix"
    assert action["diagnostics"][0]["message"] == "undefined name 'y'"
    (argument,) = action["command"]["arguments"]
    assert argument["diagnostic"] == {"message": "undefined name 'y'", "code": "F821"}
    assert argument["range"] == wrong["range"]


def test_at_most_three_diagnostics_are_offered(client: LspClient) -> None:
    buffer = opened(client, "a = b\n")
    wrong = [diagnostic(buffer, "b", f"number {n}") for n in range(9)]

    found = titles(client, buffer, 0, diagnostics=wrong, triggerKind=AUTOMATIC)

    assert found == ["Fix: number 0", "Fix: number 1", "Fix: number 2"]


def test_a_diagnostic_of_many_lines_is_one_line_in_the_menu(client: LspClient) -> None:
    buffer = opened(client, "a = b\n")
    wrong = diagnostic(buffer, "b", "first\nsecond\x1b[31m " + "long " * 40)

    (title,) = titles(client, buffer, 0, diagnostics=[wrong], triggerKind=AUTOMATIC)

    assert title.startswith("Fix: first second\\x1b[31m long")
    assert title.endswith("...")
    assert len(title) <= 65


@pytest.mark.parametrize("language", ["rust", "typescript", "plaintext"])
def test_other_languages_are_explained_rewritten_and_fixed(
    language: str, client: LspClient
) -> None:
    buffer = opened(client, "fn g(x: i32) -> i32 {\n    2 * x\n}\n", language)
    wrong = diagnostic(buffer, "x", "wrong")

    found = titles(client, buffer, 0, diagnostics=[wrong])

    assert found == ["Fix: wrong", "Rewrite this ...", "Explain this"]


def test_a_selection_is_explained_as_such(client: LspClient) -> None:
    buffer = opened(client, "a = 1\nb = 2\n")
    params = {
        "textDocument": {"uri": buffer.uri},
        "range": {"start": buffer.position(0), "end": buffer.position(8)},
        "context": {"diagnostics": []},
    }

    actions = client.result(client.request("textDocument/codeAction", params))

    assert [one["title"] for one in actions] == [
        "Rewrite the selection ...",
        "Explain the selection",
    ]


def test_nothing_is_offered_on_an_empty_line(client: LspClient) -> None:
    buffer = opened(client, "a = 1\n\n\nb = 2\n")

    assert titles(client, buffer, 7) == []


def test_an_editor_that_can_not_ask_is_offered_no_rewriting(session: Start) -> None:
    """The instruction has to come from somewhere."""
    plain, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", WRITTEN)
    plain.open(buffer)

    assert "Explain g" in titles(plain, buffer)
    assert not any(title.startswith("Rewrite") for title in titles(plain, buffer))


@pytest.mark.parametrize(
    ("only", "offered"),
    [
        (["refactor"], True),
        (["refactor.rewrite"], True),
        ([""], True),
        (["quickfix"], False),
        (["refactor.extract"], False),
        (["refactor.rewrite.more"], False),
        (["ref"], False),
    ],
)
def test_kinds_are_hierarchical(client: LspClient, only: list[str], offered: bool) -> None:
    buffer = opened(client, STUB)

    assert bool(client.code_actions(buffer, 0, only=only)) is offered


def test_what_a_model_writes_is_marked_so(fresh: LspClient) -> None:
    tagged = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
    tagged["tagSupport"] = {"valueSet": [1]}
    capabilities = {**CAPABILITIES, "textDocument": {"codeAction": tagged}}
    fresh.initialize(capabilities=capabilities)

    actions = fresh.code_actions(opened(fresh, STUB), 0)

    assert [action["tags"] for action in actions] == [[1]] * len(actions)


def test_an_editor_without_action_literals_gets_commands(fresh: LspClient) -> None:
    fresh.initialize(capabilities={"workspace": {"applyEdit": True}})

    actions = fresh.code_actions(opened(fresh, STUB), 0)

    assert actions
    assert {one["command"] for one in actions} == {"assistant.generate"}


def test_an_editor_that_applies_no_edits_is_offered_none(fresh: LspClient) -> None:
    fresh.initialize(capabilities={})

    assert fresh.code_actions(opened(fresh, STUB), 0) == []


def test_a_proposal_is_decided_on_by_code_actions_too(session: Start) -> None:
    """For editors that show no lenses."""
    plain, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", 'def double(x):\n    """Double x."""\n\n\ny = 1\n')
    plain.result(plain.run_command(implementing(plain, buffer)))

    actions = plain.code_actions(buffer, 3, triggerKind=AUTOMATIC)

    names = ["Accept (parsed)", "Reject", "Why", "Check again"]
    assert [action["title"] for action in actions] == names
    assert actions[0]["isPreferred"] is True
    assert titles(plain, buffer, len(buffer.text) - 2) == ["Explain this"]
    assert plain.result(plain.run_command(actions[0]["command"])) == {"applied": True}
    assert buffer.text.startswith('def double(x):\n    """Double x."""\n    return 2 * x\n')
    assert "Accept (parsed)" not in titles(plain, buffer, 3)


def test_a_failed_check_stands_in_the_title(session: Start) -> None:
    plain, _ = session(ANSWER.replace("2 * x", "2 * nothing"))
    buffer = Buffer("file:///a.py", 'def double(x):\n    """Double x."""\n')
    plain.result(plain.run_command(implementing(plain, buffer)))

    title = titles(plain, buffer, 3)[0]

    assert title.startswith("Accept (error: ")
    assert "nothing" in title


def test_what_is_being_written_can_be_cancelled(session: Start) -> None:
    reply, index = held()
    plain, _ = session(reply)
    buffer = Buffer("file:///a.py", 'def double(x):\n    """Double x."""\n')
    request = plain.run_command(implementing(plain, buffer))
    reply.wait_sent(index)

    actions = plain.code_actions(buffer, 3)

    assert [action["title"] for action in actions] == ["Cancel: Implement double", "Why"]
    assert plain.result(plain.run_command(actions[0]["command"])) == {"cancelled": 1}
    assert plain.result(request)["state"] == "cancelled"


def test_what_failed_is_told_and_can_be_tried_again(session: Start) -> None:
    plain, _ = session(Reply(status=503, error="busy with others"))
    buffer = Buffer("file:///a.py", 'def double(x):\n    """Double x."""\n')
    plain.result(plain.run_command(implementing(plain, buffer)))

    found = titles(plain, buffer, 3)

    assert found[0].startswith("Nothing to accept: busy with others")
    assert found[1:3] == ["Dismiss", "Implement double"]
    assert command(plain, "reject") == {"rejected": True}
    assert titles(plain, buffer, 3)[0] == "Implement double"


def test_a_very_long_file_is_parsed_only_when_somebody_asks(client: LspClient) -> None:
    """It takes longer than a keystroke may, and editors ask at each of them."""
    for length, by_itself in ((1, True), (LONGEST, False)):
        buffer = opened(client, STUB + "x = 1\n" * (length // 6))
        offered = {
            kind: "Implement f" in titles(client, buffer, 0, triggerKind=kind)
            for kind in (AUTOMATIC, INVOKED)
        }
        assert offered == {AUTOMATIC: by_itself, INVOKED: True}
