"""Over the wire: an accepted proposal is one edit, for the version that the editor has then.

What the person types while the model writes, or between the offer and the decision, is theirs.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.lsp.conftest import Start
from tests.support.generating import (
    ANSWER,
    BODY,
    CODE,
    OURS,
    STUB,
    answer_of,
    asking,
    command,
    held,
    implementing,
    messages,
)
from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient, Message
from tests.support.scripted_endpoint import Reply


def generated(client: LspClient, command_of_action: Message) -> str:
    """Generate, which changes nothing; the id of the proposal."""
    result = client.result(client.run_command(command_of_action))
    assert result["state"] == "offered", result
    assert client.of("workspace/applyEdit") == []
    identifier: str = result["proposal"]
    return identifier


def accept(client: LspClient, identifier: str) -> Message:
    result: Message = command(client, "accept", proposal=identifier)
    return result


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-32"])
def test_the_body_lands_below_the_docstring(encoding: str, own_session: Start) -> None:
    """With emoji before the cursor, before the stub and at the very place of the edit."""
    capabilities = {**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
    client, _ = own_session(ANSWER, capabilities=capabilities)
    text = f'SMILE = "😀😀"\nclass A:\n    pass; y = "🧑‍🚀"\n\n\n{STUB}\n\nz = "é"\n'
    buffer = Buffer("file:///a.py", text, encoding=encoding)

    result = accept(client, generated(client, implementing(client, buffer, marker='😀"""')))

    assert result == {"applied": True}
    assert buffer.text == text.replace(STUB, STUB + BODY)


def test_the_edit_carries_the_version_and_is_one(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB, version=41)

    accept(client, generated(client, implementing(client, buffer)))

    (edit,) = client.of("workspace/applyEdit")
    (change,) = edit["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": "file:///a.py", "version": 41}
    assert len(change["edits"]) == 1
    assert edit["label"] == "Implement double"
    assert "changeAnnotations" not in edit["edit"]


def test_an_editor_that_annotates_edits_is_given_a_label(own_session: Start) -> None:
    client, _ = own_session(ANSWER, capabilities=OURS)
    buffer = Buffer("file:///a.py", STUB)

    accept(client, generated(client, implementing(client, buffer)))

    (edit,) = client.of("workspace/applyEdit")
    (change,) = edit["edit"]["documentChanges"]
    (annotation,) = edit["edit"]["changeAnnotations"].values()
    assert annotation["label"] == "Implement double"
    assert annotation["needsConfirmation"] is False
    assert {one["annotationId"] for one in change["edits"]} == set(
        edit["edit"]["changeAnnotations"]
    )
    assert buffer.text == STUB + BODY


def test_thinking_of_other_models_stays_out_of_the_edit(session: Start) -> None:
    """Both ways in which they think aloud: a field of its own, and tags in the text."""
    code = f"```python\n{CODE}```"
    client, _ = session(
        Reply.of(f"<think>Perhaps `def double(x): pass`?</think>\n{code}", reasoning=["Hm, twice."])
    )
    buffer = Buffer("file:///a.py", STUB)

    accept(client, generated(client, implementing(client, buffer)))

    assert buffer.text == STUB + BODY


@pytest.mark.parametrize("when", ["while it is written", "after the offer"])
def test_an_edit_elsewhere_moves_the_answer_along(when: str, session: Start) -> None:
    """What is typed above and below stays, and the body finds its place."""
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", f"x = 1\n\n\n{STUB}\n\ny = 2\n")
    request = client.run_command(implementing(client, buffer))
    reply.wait_sent(index)
    if when == "after the offer":
        reply.release()
        client.result(request)

    client.change(buffer, 0, 5, "import os\n\nx = 1  # 😀 typed meanwhile")
    client.change(buffer, len(buffer.text), len(buffer.text), "z = 3\n")
    expected = buffer.text.replace(STUB, STUB + BODY)
    reply.release()
    identifier = client.result(request)["proposal"]

    assert accept(client, identifier) == {"applied": True}
    assert buffer.text == expected
    (edit,) = client.of("workspace/applyEdit")
    assert edit["edit"]["documentChanges"][0]["textDocument"]["version"] == 3


@pytest.mark.parametrize("when", ["while it is written", "after the offer"])
@pytest.mark.parametrize(
    ("at", "new"),
    [
        (STUB.index("Double"), "Triple"),
        (len(STUB) - 1, "  # rounded"),
        (len(STUB), "    return x\n"),
        (0, "@cache\n"),
    ],
)
def test_an_edit_of_the_stub_means_no_edit_of_ours(
    at: int, new: str, when: str, session: Start
) -> None:
    """Its description changed, or somebody wrote the body: the answer is for something else."""
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(implementing(client, buffer))
    reply.wait_sent(index)
    if when == "after the offer":
        reply.release()
        client.result(request)

    client.change(buffer, at, at, new)
    before = buffer.text
    reply.release()
    identifier = client.result(request)["proposal"]

    assert accept(client, identifier)["applied"] is False
    why = "double has changed since it was asked for, so nothing was applied."
    assert messages(client)[-1] == why
    assert buffer.text == before
    assert client.of("workspace/applyEdit") == []


def test_a_change_that_was_taken_back_does_not_count(session: Start) -> None:
    """Somebody hits a key and undoes it; the lines are what they were."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n\n\n{STUB}")
    identifier = generated(client, implementing(client, buffer))
    at = buffer.text.index("Double")
    client.change(buffer, at, at, "y")
    client.change(buffer, at, at + 1, "")

    assert accept(client, identifier) == {"applied": True}
    assert buffer.text == f"x = 1\n\n\n{STUB}{BODY}"


def test_a_document_that_was_reloaded_is_left_alone(session: Start) -> None:
    """Its versions begin anew; the same number does not mean the same text."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    identifier = generated(client, implementing(client, buffer))

    client.notify("textDocument/didClose", {"textDocument": {"uri": buffer.uri}})
    client.open(buffer)

    assert accept(client, identifier)["applied"] is False
    assert client.of("workspace/applyEdit") == []


def test_an_editor_that_has_moved_on_gets_the_edit_for_its_new_version(session: Start) -> None:
    """It refuses the version that it has left, tells of its change, and is asked once more."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n{STUB}")
    identifier = generated(client, implementing(client, buffer))

    def move_on(edit: dict[str, Any]) -> dict[str, Any]:
        client.answers["workspace/applyEdit"] = lambda edit: client.take(buffer, edit)
        client.change(buffer, 0, 1, "longer_name")
        return client.take(buffer, edit)

    client.answers["workspace/applyEdit"] = move_on

    assert accept(client, identifier)["applied"] is True
    assert buffer.text == f"longer_name = 1\n{STUB}{BODY}"
    assert len(client.of("workspace/applyEdit")) == 2


def test_an_editor_that_says_yes_and_does_nothing_is_asked_again(session: Start) -> None:
    """Neovim does, when somebody types at that moment."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n{STUB}")
    identifier = generated(client, implementing(client, buffer))

    def nod(_: dict[str, Any]) -> dict[str, Any]:
        client.answers["workspace/applyEdit"] = lambda edit: client.take(buffer, edit)
        client.change(buffer, 0, 1, "typed")
        return {"applied": True}

    client.answers["workspace/applyEdit"] = nod

    assert accept(client, identifier)["applied"] is True
    assert buffer.text == f"typed = 1\n{STUB}{BODY}"


def test_lines_that_were_added_below_are_not_added_twice(session: Start) -> None:
    """The old lines are still there, untouched; it looks like an edit that was passed over."""
    client, _ = session(answer_of("x = 1\ny = 2\n"))
    buffer = Buffer("file:///a.py", "x = 1\n\nprint(x)\n")
    client.open(buffer)
    request = asking(client, buffer, "rewrite", "x = 1", select=True, instruction="add y")
    identifier = client.result(request)["proposal"]

    def take_while_typing(edit: dict[str, Any]) -> dict[str, Any]:
        taken = client.take(buffer, edit)
        client.change(buffer, len(buffer.text), len(buffer.text), "z = 3\n")
        return taken

    client.answers["workspace/applyEdit"] = take_while_typing

    assert accept(client, identifier)["applied"] is True
    assert len(client.of("workspace/applyEdit")) == 1
    assert buffer.text == "x = 1\ny = 2\n\nprint(x)\nz = 3\n"


def test_what_was_taken_back_at_once_is_not_written_again(session: Start) -> None:
    """An undo before the editor has told of the edit looks like an edit that was not made."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    identifier = generated(client, implementing(client, buffer))

    def apply_and_undo(_: dict[str, Any]) -> dict[str, Any]:
        client.change(buffer, 0, 0, "")  # all that is left to tell
        return {"applied": True}

    client.answers["workspace/applyEdit"] = apply_and_undo

    assert accept(client, identifier)["applied"] is True
    assert len(client.of("workspace/applyEdit")) == 1
    assert buffer.text == STUB


def test_an_editor_that_does_not_apply_is_reported_once(session: Start) -> None:
    """The proposal stays: its reason may go away."""
    client, _ = session(ANSWER)
    identifier = generated(client, implementing(client, Buffer("file:///a.py", STUB)))
    refusal = {"applied": False, "failureReason": "read-only"}
    client.answers["workspace/applyEdit"] = lambda _: refusal

    result = accept(client, identifier)

    why = "The editor did not apply the edit: read-only"
    assert result == {"applied": False, "reason": why}
    assert messages(client)[1:] == [why]
    assert len(client.of("workspace/applyEdit")) == 1
    assert command(client, "reject", proposal=identifier) == {"rejected": True}


def test_a_proposal_is_accepted_once(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    identifier = generated(client, implementing(client, buffer))

    assert accept(client, identifier)["applied"] is True
    assert accept(client, identifier)["applied"] is False
    assert buffer.text == STUB + BODY


def test_two_acceptances_at_once_make_one_edit(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    identifier = generated(client, implementing(client, buffer))
    argument = {"command": "assistant.accept", "arguments": [{"proposal": identifier}]}

    requests = [client.request("workspace/executeCommand", argument) for _ in range(2)]

    assert sorted(client.result(one)["applied"] for one in requests) == [False, True]
    assert len(client.of("workspace/applyEdit")) == 1
    assert buffer.text == STUB + BODY


def test_a_rejected_proposal_is_gone(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    identifier = generated(client, implementing(client, buffer))

    assert command(client, "reject", uri=buffer.uri) == {"rejected": True}

    assert accept(client, identifier)["applied"] is False
    assert command(client, "reject", uri=buffer.uri) == {"rejected": False}
    assert buffer.text == STUB


def test_the_newest_proposal_of_the_document_is_meant(session: Start) -> None:
    client, _ = session(ANSWER)
    first, second = Buffer("file:///a.py", STUB), Buffer("file:///b.py", STUB)
    generated(client, implementing(client, first))
    generated(client, implementing(client, second))
    client.answers["workspace/applyEdit"] = lambda edit: client.take(first, edit)

    assert command(client, "accept", uri=first.uri) == {"applied": True}
    assert first.text == STUB + BODY
    client.answers["workspace/applyEdit"] = lambda edit: client.take(second, edit)
    assert command(client, "accept") == {"applied": True}
    assert second.text == STUB + BODY
