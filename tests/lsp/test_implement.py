"""Over the wire, to a real process: a stub becomes a function, or one message says why not.

The model is a scripted endpoint that speaks HTTP; gates in its replies hold an answer where a test
needs it held, so that no test waits for time to pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

Start = Callable[..., tuple[LspClient, ScriptedEndpoint]]
REQUEST_CANCELLED = -32800

STUB = 'def double(x):\n    """Double x. 😀"""\n'
BODY = "    return 2 * x\n"
CODE = f'def double(x):\n    """Double x."""\n{BODY}'
REASONING = """\
## Intent
Twice the number is wanted.
## Steps
1. Multiply by two.
## Formulas
2 * x
## Edge cases
- none known
"""
ANSWER = f"{REASONING}## Code\n```python\n{CODE}```\n"


def offer(client: LspClient, buffer: Buffer, marker: str = "Double") -> dict[str, Any]:
    """Open the buffer and take the command of the one action at the marker."""
    client.open(buffer)
    (action,) = client.code_actions(buffer, buffer.text.index(marker))
    command: dict[str, Any] = action["command"]
    return command


def messages(client: LspClient) -> list[str]:
    return [params["message"] for params in client.of("window/showMessage")]


def progress(client: LspClient) -> list[dict[str, Any]]:
    return [params["value"] for params in client.of("$/progress")]


def held(before: str = "## Code") -> tuple[Reply, int]:
    """The answer, stopped before the chunk that `before` begins in, and the chunk's number."""
    reply = Reply.of(ANSWER)
    index = ANSWER.index(before) // 8
    reply.hold(index)
    return reply, index


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-32"])
def test_the_body_lands_below_the_docstring(encoding: str, own_session: Start) -> None:
    """With emoji before the cursor, before the stub and at the very place of the edit."""
    capabilities = {**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
    client, _ = own_session(ANSWER, capabilities=capabilities)
    text = f'SMILE = "😀😀"\nclass A:\n    pass; y = "🧑‍🚀"\n\n\n{STUB}\n\nz = "é"\n'
    buffer = Buffer("file:///a.py", text, encoding=encoding)

    result = client.result(client.run_command(offer(client, buffer, marker='😀"""')))

    assert result == {"applied": True, "verdict": "parsed"}
    assert buffer.text == text.replace(STUB, STUB + BODY)
    assert messages(client) == []


def test_the_model_is_asked_for_the_stub(session: Start) -> None:
    client, endpoint = session(ANSWER)
    buffer = Buffer(
        "file:///a.py", f"class A:\n{''.join(f'    {n}' for n in STUB.splitlines(True))}"
    )

    client.result(client.run_command(offer(client, buffer)))

    (request,) = endpoint.requests
    assert request["messages"][-1]["content"] == (
        'Implement this function:\n```python\ndef double(x):\n    """Double x. 😀"""\n```'
    )


def test_the_edit_carries_the_version_and_is_one(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB, version=41)

    client.result(client.run_command(offer(client, buffer)))

    (edit,) = client.of("workspace/applyEdit")
    (change,) = edit["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": "file:///a.py", "version": 41}
    assert len(change["edits"]) == 1
    assert edit["label"] == "Implement double"


def test_reasoning_shows_in_progress_and_never_in_the_edit(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)

    client.result(client.run_command(offer(client, buffer)))
    client.wait_for(lambda m: m.get("params", {}).get("value", {}).get("kind") == "end")

    shown = [value.get("message", "") for value in progress(client)]
    assert [value["kind"] for value in progress(client)][:1] == ["begin"]
    assert progress(client)[0]["cancellable"] is True
    stages = list(dict.fromkeys(message.partition(" - ")[0] for message in shown))
    assert stages[-4:] == ["thinking: Edge cases", "writing", "checking", "done, parsed"]
    assert any(message.startswith("thinking: Intent") for message in shown)
    thoughts, verdict = client.of("window/logMessage")
    assert "Multiply by two." in thoughts["message"]
    assert verdict["message"].startswith("Verdict on double: parsed: it parses and its names")
    assert "Multiply" not in buffer.text
    assert "## " not in str(client.of("workspace/applyEdit"))


def test_the_newest_reasoning_shows_even_when_the_model_pauses(session: Start) -> None:
    """Messages are spaced out; the last of a burst must come none the less."""
    reply, index = held(before="## Formulas")
    client, _ = session(reply)
    request = client.run_command(offer(client, Buffer("file:///a.py", STUB)))
    reply.wait_sent(index)

    def shows(message: dict[str, Any]) -> bool:
        value = message["params"]["value"] if message.get("method") == "$/progress" else {}
        return str(value.get("message")).startswith("thinking: Steps - 1. Multiply")

    assert client.wait_for(shows)["params"]["value"]["cancellable"] is True
    reply.release()
    client.result(request)


def test_thinking_of_other_models_stays_out_of_the_edit(session: Start) -> None:
    """Both ways in which they think aloud: a field of its own, and tags in the text."""
    code = f"```python\n{CODE}```"
    client, _ = session(
        Reply.of(f"<think>Perhaps `def double(x): pass`?</think>\n{code}", reasoning=["Hm, twice."])
    )
    buffer = Buffer("file:///a.py", STUB)

    client.result(client.run_command(offer(client, buffer)))

    assert buffer.text == STUB + BODY


def test_an_edit_elsewhere_moves_the_answer_along(session: Start) -> None:
    """What is typed above and below while the model writes stays, and the body finds its place."""
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", f"x = 1\n\n\n{STUB}\n\ny = 2\n")
    request = client.run_command(offer(client, buffer))
    reply.wait_sent(index)

    client.change(buffer, 0, 5, "import os\n\nx = 1  # 😀 typed meanwhile")
    client.change(buffer, len(buffer.text), len(buffer.text), "z = 3\n")
    expected = buffer.text.replace(STUB, STUB + BODY)
    reply.release()

    assert client.result(request)["applied"] is True
    assert buffer.text == expected
    assert (
        client.of("workspace/applyEdit")[0]["edit"]["documentChanges"][0]["textDocument"]["version"]
        == 3
    )


@pytest.mark.parametrize(
    ("at", "new"),
    [
        (STUB.index("Double"), "Triple"),
        (len(STUB) - 1, "  # rounded"),
        (len(STUB), "    return x\n"),
        (0, "@cache\n"),
    ],
)
def test_an_edit_of_the_stub_means_no_edit_of_ours(at: int, new: str, session: Start) -> None:
    """Its description changed, or somebody wrote the body: the answer is for something else."""
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(offer(client, buffer))
    reply.wait_sent(index)

    client.change(buffer, at, at, new)
    before = buffer.text
    reply.release()

    assert client.result(request)["applied"] is False
    assert messages(client) == [
        "double changed while its body was being written, so nothing was applied."
    ]
    assert buffer.text == before
    assert client.of("workspace/applyEdit") == []


def test_a_document_that_was_reloaded_meanwhile_is_left_alone(session: Start) -> None:
    """Its versions begin anew; the same number does not mean the same text."""
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(offer(client, buffer))
    reply.wait_sent(index)

    client.notify("textDocument/didClose", {"textDocument": {"uri": buffer.uri}})
    client.open(buffer)
    reply.release()

    assert client.result(request)["applied"] is False
    assert client.of("workspace/applyEdit") == []


def test_an_editor_that_has_moved_on_gets_the_edit_for_its_new_version(session: Start) -> None:
    """It refuses the version that it has left, tells of its change, and is asked once more."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n{STUB}")
    command = offer(client, buffer)

    def move_on(edit: dict[str, Any]) -> dict[str, Any]:
        client.answers["workspace/applyEdit"] = lambda edit: client.take(buffer, edit)
        client.change(buffer, 0, 1, "longer_name")
        return client.take(buffer, edit)

    client.answers["workspace/applyEdit"] = move_on
    result = client.result(client.run_command(command))

    assert result["applied"] is True
    assert buffer.text == f"longer_name = 1\n{STUB}{BODY}"
    assert len(client.of("workspace/applyEdit")) == 2


def test_an_editor_that_says_yes_and_does_nothing_is_asked_again(session: Start) -> None:
    """Neovim does, when somebody types at that moment."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n{STUB}")
    command = offer(client, buffer)

    def nod(_: dict[str, Any]) -> dict[str, Any]:
        client.answers["workspace/applyEdit"] = lambda edit: client.take(buffer, edit)
        client.change(buffer, 0, 1, "typed")
        return {"applied": True}

    client.answers["workspace/applyEdit"] = nod

    assert client.result(client.run_command(command))["applied"] is True
    assert buffer.text == f"typed = 1\n{STUB}{BODY}"


def test_what_was_taken_back_at_once_is_not_written_again(session: Start) -> None:
    """An undo before the editor has told of the edit looks like an edit that was not made."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    command = offer(client, buffer)

    def apply_and_undo(_: dict[str, Any]) -> dict[str, Any]:
        client.change(buffer, 0, 0, "")  # all that is left to tell
        return {"applied": True}

    client.answers["workspace/applyEdit"] = apply_and_undo

    assert client.result(client.run_command(command))["applied"] is True
    assert len(client.of("workspace/applyEdit")) == 1
    assert buffer.text == STUB


def test_an_editor_that_does_not_apply_is_reported_once(session: Start) -> None:
    client, _ = session(ANSWER)
    command = offer(client, Buffer("file:///a.py", STUB))
    refusal = {"applied": False, "failureReason": "read-only"}
    client.answers["workspace/applyEdit"] = lambda _: refusal

    assert client.result(client.run_command(command))["applied"] is False
    assert messages(client) == ["The editor did not apply the edit: read-only"]
    assert len(client.of("workspace/applyEdit")) == 1


def test_an_offer_of_an_older_version_still_finds_its_stub(session: Start) -> None:
    """A menu may stay open while the text above it grows."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n{STUB}")
    command = offer(client, buffer)
    client.change(buffer, 0, 0, "# a new line\n# and another\n")

    assert client.result(client.run_command(command))["applied"] is True
    assert buffer.text.endswith(STUB + BODY)


def test_cancelling_the_request_stops_the_model(session: Start) -> None:
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(offer(client, buffer))
    reply.wait_sent(index)

    client.notify("$/cancelRequest", {"id": request})

    assert client.error_code(request) == REQUEST_CANCELLED
    reply.wait_closed()
    assert reply.sent == index
    assert buffer.text == STUB
    assert messages(client) == []
    client.wait_for(lambda m: m.get("params", {}).get("value", {}).get("kind") == "end")


def test_the_cancel_button_of_the_progress_stops_the_model(session: Start) -> None:
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(offer(client, buffer))
    token = client.wait_for(lambda m: m.get("method") == "$/progress")["params"]["token"]
    reply.wait_sent(index)

    client.notify("window/workDoneProgress/cancel", {"token": token})

    assert client.result(request) == {"applied": False, "reason": "cancelled"}
    reply.wait_closed()
    assert buffer.text == STUB
    assert messages(client) == []


def test_shutdown_stops_the_model_and_answers_its_request(own_session: Start) -> None:
    reply, index = held()
    client, _ = own_session(reply)
    request = client.run_command(offer(client, Buffer("file:///a.py", STUB)))
    reply.wait_sent(index)

    assert client.leave() == 0

    assert client.error_code(request) == REQUEST_CANCELLED
    reply.wait_closed()


def test_an_editor_that_vanishes_stops_the_model(own_session: Start) -> None:
    reply, index = held()
    client, _ = own_session(reply)
    client.run_command(offer(client, Buffer("file:///a.py", STUB)))
    reply.wait_sent(index)

    assert client.process.stdin is not None
    client.process.stdin.close()

    reply.wait_closed()
    assert client.process.wait(60) == 1


def test_the_server_answers_while_the_model_writes(session: Start) -> None:
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(offer(client, buffer))
    reply.wait_sent(index)

    assert len(client.code_actions(buffer, 0)) == 1
    assert client.responses(request) == []

    reply.release()
    client.result(request)


def test_the_same_stub_is_not_written_twice_at_a_time(session: Start) -> None:
    reply, index = held()
    client, endpoint = session(reply)
    command = offer(client, Buffer("file:///a.py", STUB))
    first = client.run_command(command)
    reply.wait_sent(index)

    assert client.result(client.run_command(command))["applied"] is False
    assert messages(client) == ["double is being implemented already."]
    reply.release()
    assert client.result(first)["applied"] is True
    assert len(endpoint.requests) == 1


def test_the_editors_own_token_is_used(session: Start) -> None:
    client, _ = session(ANSWER)
    command = offer(client, Buffer("file:///a.py", STUB))

    client.result(client.run_command(command, workDoneToken="mine"))

    assert {params["token"] for params in client.of("$/progress")} == {"mine"}
    assert client.of("window/workDoneProgress/create") == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ANSWER.replace("return 2 * x", "return 2 *"), "not valid Python"),
        (ANSWER.replace("double(x)", "double(x, y)"), "another signature"),
        (ANSWER.replace("return 2 * x", "return undefined_name(x)"), "undefined_name"),
        (REASONING, "wrote no code"),
    ],
)
def test_an_answer_that_can_not_be_used_is_told_in_one_message(
    answer: str, why: str, session: Start
) -> None:
    client, _ = session(answer)
    buffer = Buffer("file:///a.py", STUB)

    assert client.result(client.run_command(offer(client, buffer)))["applied"] is False

    (message,) = messages(client)
    assert why in message
    assert buffer.text == STUB


def test_a_name_of_the_document_may_be_used(session: Start) -> None:
    client, _ = session(ANSWER.replace("2 * x", "FACTOR * x"))
    buffer = Buffer("file:///a.py", f"FACTOR = 2\n\n\n{STUB}")

    assert client.result(client.run_command(offer(client, buffer)))["applied"] is True


def test_a_name_may_come_from_a_star_import(session: Start) -> None:
    """Nobody can say what it brings, so nothing is said about names."""
    client, _ = session(ANSWER.replace("2 * x", "from_afar(x)"))
    buffer = Buffer("file:///a.py", f"from afar import *\n\n\n{STUB}")

    result = client.result(client.run_command(offer(client, buffer)))

    assert result == {"applied": True, "verdict": "not checked"}


def test_a_cut_off_answer_is_not_applied(own_session: Start) -> None:
    """It may parse by chance and miss its last lines."""
    client, endpoint = own_session(Reply.of(ANSWER, finish_reason="length"))
    settings = {"settings": {"assistant": {"maxTokens": 5}}}
    client.notify("workspace/didChangeConfiguration", settings)
    buffer = Buffer("file:///a.py", STUB)

    assert client.result(client.run_command(offer(client, buffer)))["applied"] is False

    assert endpoint.requests[0]["max_tokens"] == 5
    (message,) = messages(client)
    assert "cut off" in message
    assert buffer.text == STUB


@pytest.mark.parametrize(
    "reply", [Reply(status=503, error="busy with others"), Reply.of(ANSWER, break_after=9)]
)
def test_a_broken_endpoint_costs_one_message(reply: Reply, session: Start) -> None:
    client, _ = session(reply, ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    command = offer(client, buffer)

    assert client.result(client.run_command(command))["applied"] is False
    assert len(messages(client)) == 1
    assert buffer.text == STUB

    assert client.result(client.run_command(command))["applied"] is True


def test_no_endpoint_costs_one_message() -> None:
    with LspClient({"ASSISTANT_ENDPOINT_URL": "http://127.0.0.1:9/v1"}) as client:
        client.initialize()
        command = offer(client, Buffer("file:///a.py", STUB))

        assert client.result(client.run_command(command))["applied"] is False

        (message,) = messages(client)
        assert "127.0.0.1:9" in message


@pytest.mark.parametrize("problem", ["closed", "no stub", "unknown version"])
def test_a_command_for_nothing_is_told_in_one_message(problem: str, session: Start) -> None:
    client, endpoint = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n\n\n{STUB}")
    command = offer(client, buffer)
    (argument,) = command["arguments"]
    if problem == "closed":
        client.notify("textDocument/didClose", {"textDocument": {"uri": buffer.uri}})
    elif problem == "no stub":
        zero = {"line": 0, "character": 0}
        argument["range"] = {"start": zero, "end": zero}
    else:
        argument["version"] = 99

    assert client.result(client.run_command(command))["applied"] is False

    assert len(messages(client)) == 1
    assert endpoint.requests == []
