"""Over the wire, to a real process: what a model writes becomes a proposal, or says why not.

The model is a scripted endpoint that speaks HTTP; gates in its replies hold an answer where a test
needs it held, so that no test waits for time to pass.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.lsp.conftest import Start
from tests.support.generating import (
    ANSWER,
    OURS,
    REASONING,
    STUB,
    asking,
    command,
    events,
    held,
    implementing,
    messages,
)
from tests.support.lsp_client import Buffer, LspClient
from tests.support.scripted_endpoint import Reply


def progress(client: LspClient) -> list[dict[str, Any]]:
    return [params["value"] for params in client.of("$/progress")]


def test_the_model_is_asked_for_the_stub(session: Start) -> None:
    client, endpoint = session(ANSWER)
    buffer = Buffer(
        "file:///a.py", f"class A:\n{''.join(f'    {n}' for n in STUB.splitlines(True))}"
    )

    client.result(client.run_command(implementing(client, buffer)))

    (request,) = endpoint.requests
    assert request["messages"][-1]["content"].endswith(
        'Implement this function:\n```python\ndef double(x):\n    """Double x. 😀"""\n```'
    )


def test_nothing_is_written_before_it_is_accepted(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)

    result = client.result(client.run_command(implementing(client, buffer)))

    assert result["state"] == "offered"
    assert result["verdict"]["outcome"] == "parsed"
    assert buffer.text == STUB
    assert client.of("workspace/applyEdit") == []


def test_reasoning_shows_in_progress(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", STUB)

    client.result(client.run_command(implementing(client, buffer)))
    client.wait_for(lambda m: m.get("params", {}).get("value", {}).get("kind") == "end")

    shown = [value.get("message", "") for value in progress(client)]
    assert [value["kind"] for value in progress(client)][:1] == ["begin"]
    assert progress(client)[0]["cancellable"] is True
    stages = list(dict.fromkeys(message.partition(" - ")[0] for message in shown))
    assert stages[-4:] == ["thinking: Edge cases", "writing", "checking", "offered, parsed"]
    assert any(message.startswith("thinking: Intent - about") for message in shown)
    (verdict,) = client.of("window/logMessage")
    assert verdict["message"].startswith("Verdict on double: parsed")


def test_the_newest_reasoning_shows_even_when_the_model_pauses(session: Start) -> None:
    """Messages are spaced out; the last of a burst must come none the less."""
    reply, index = held(before="## Formulas")
    client, _ = session(reply)
    request = client.run_command(implementing(client, Buffer("file:///a.py", STUB)))
    reply.wait_sent(index)

    def shows(message: dict[str, Any]) -> bool:
        value = message["params"]["value"] if message.get("method") == "$/progress" else {}
        said = str(value.get("message"))
        return said.startswith("thinking: Steps - ") and "1. Multiply by tw" in said

    assert client.wait_for(shows)["params"]["value"]["cancellable"] is True
    reply.release()
    client.result(request)


def test_an_editor_without_events_is_told_that_it_is_ready(session: Start) -> None:
    client, _ = session(ANSWER)

    client.result(client.run_command(implementing(client, Buffer("file:///a.py", STUB))))

    (message,) = messages(client)
    assert message.startswith("Implement double: ready (parsed")
    assert client.of("assistant/event") == []
    assert client.of("assistant/proposals") == []


def test_an_offer_of_an_older_version_still_finds_its_stub(session: Start) -> None:
    """A menu may stay open while the text above it grows."""
    client, _ = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n{STUB}")
    wanted = implementing(client, buffer)
    client.change(buffer, 0, 0, "# a new line\n# and another\n")

    assert client.result(client.run_command(wanted))["state"] == "offered"


def test_the_stub_is_that_of_the_text_when_it_was_asked_for(session: Start) -> None:
    """What is typed right behind the request is not what it was about."""
    client, endpoint = session(ANSWER)
    buffer = Buffer("file:///a.py", f"\n\n{STUB}")
    client.open(buffer)
    span = {"start": buffer.position(8), "end": buffer.position(8)}
    argument = {"task": "implement", "uri": buffer.uri, "range": span}

    request = client.request(
        "workspace/executeCommand", {"command": "assistant.generate", "arguments": [argument]}
    )
    client.change(buffer, 0, 0, "import os\n" * 9)

    assert client.result(request)["state"] == "offered"
    assert len(endpoint.requests) == 1


def test_a_second_proposal_takes_the_place_of_the_first(session: Start) -> None:
    client, _ = session(ANSWER)
    wanted = implementing(client, Buffer("file:///a.py", STUB))
    first = client.result(client.run_command(wanted))["proposal"]

    second = client.result(client.run_command(wanted))["proposal"]

    assert command(client, "accept", proposal=first)["applied"] is False
    assert command(client, "accept", proposal=second)["applied"] is True


def test_the_editors_own_token_is_used(session: Start) -> None:
    client, _ = session(ANSWER)
    wanted = implementing(client, Buffer("file:///a.py", STUB))

    client.result(client.run_command(wanted, workDoneToken="mine"))

    assert {params["token"] for params in client.of("$/progress")} == {"mine"}
    assert client.of("window/workDoneProgress/create") == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ANSWER.replace("return 2 * x", "return 2 *"), "not valid Python"),
        (ANSWER.replace("double(x)", "double(x, y)"), "another signature"),
        (REASONING, "wrote no code"),
    ],
)
def test_an_answer_that_can_not_be_used_is_told_in_one_message(
    answer: str, why: str, session: Start
) -> None:
    client, _ = session(answer)
    buffer = Buffer("file:///a.py", STUB)

    result = client.result(client.run_command(implementing(client, buffer)))

    assert result["state"] == "failed"
    (message,) = messages(client)
    assert why in message
    assert result["reason"] == message
    assert command(client, "accept", proposal=result["proposal"])["applied"] is False
    assert buffer.text == STUB


def test_an_answer_that_does_not_stand_its_check_is_offered_with_its_verdict(
    session: Start,
) -> None:
    client, _ = session(ANSWER.replace("return 2 * x", "return undefined_name(x)"))
    buffer = Buffer("file:///a.py", STUB)

    result = client.result(client.run_command(implementing(client, buffer)))

    assert result["state"] == "offered"
    assert result["verdict"]["outcome"] == "error"
    assert "undefined_name" in result["verdict"]["detail"]
    assert "undefined_name" in messages(client)[0]


def test_a_failed_answer_is_written_again_once(own_session: Start) -> None:
    """What does not fit the document counts as a failure, too; both attempts are told of."""
    wrong = ANSWER.replace("double(x)", "double(x, y)")
    client, endpoint = own_session(wrong, ANSWER, capabilities=OURS)
    buffer = Buffer("file:///a.py", STUB)

    result = client.result(client.run_command(implementing(client, buffer)))

    assert result["state"] == "offered"
    assert result["verdict"]["outcome"] == "parsed"
    assert (
        "the first failed: error: The answer for double was not applied"
        in (result["verdict"]["detail"])
    )
    assert len(endpoint.requests) == 2
    assert [one["verdict"]["outcome"] for one in events(client, "verdict")] == ["error", "parsed"]
    assert [one["replaces"] for one in events(client) if "replaces" in one] == [0]
    command(client, "accept", uri=buffer.uri)
    assert buffer.text == f"{STUB}    return 2 * x\n"


def test_without_repair_one_answer_is_all(own_session: Start) -> None:
    wrong = ANSWER.replace("double(x)", "double(x, y)")
    client, endpoint = own_session(wrong, ANSWER, initializationOptions={"repair": False})

    result = client.result(client.run_command(implementing(client, Buffer("file:///a.py", STUB))))

    assert result["state"] == "failed"
    assert len(endpoint.requests) == 1


def test_a_name_of_the_document_may_be_used(session: Start) -> None:
    client, _ = session(ANSWER.replace("2 * x", "FACTOR * x"))
    buffer = Buffer("file:///a.py", f"FACTOR = 2\n\n\n{STUB}")

    result = client.result(client.run_command(implementing(client, buffer)))

    assert result["verdict"]["outcome"] == "parsed"


def test_a_cut_off_answer_is_not_offered(own_session: Start) -> None:
    """It may parse by chance and miss its last lines."""
    client, endpoint = own_session(Reply.of(ANSWER, finish_reason="length"))
    settings = {"settings": {"assistant": {"maxTokens": 5}}}
    client.notify("workspace/didChangeConfiguration", settings)
    buffer = Buffer("file:///a.py", STUB)

    assert client.result(client.run_command(implementing(client, buffer)))["state"] == "failed"

    assert endpoint.requests[0]["max_tokens"] == 5
    (message,) = messages(client)
    assert "cut off" in message


@pytest.mark.parametrize(
    "reply", [Reply(status=503, error="busy with others"), Reply.of(ANSWER, break_after=9)]
)
def test_a_broken_endpoint_costs_one_message(reply: Reply, session: Start) -> None:
    client, _ = session(reply, ANSWER)
    wanted = implementing(client, Buffer("file:///a.py", STUB))

    assert client.result(client.run_command(wanted))["state"] == "failed"
    assert len(messages(client)) == 1

    assert client.result(client.run_command(wanted))["state"] == "offered"


def test_no_endpoint_costs_one_message() -> None:
    with LspClient({"ASSISTANT_ENDPOINT_URL": "http://127.0.0.1:9/v1"}) as client:
        client.initialize()
        wanted = implementing(client, Buffer("file:///a.py", STUB))

        assert client.result(client.run_command(wanted))["state"] == "failed"

        (message,) = messages(client)
        assert "127.0.0.1:9" in message


@pytest.mark.parametrize("problem", ["closed", "no stub", "unknown version"])
def test_a_command_for_nothing_is_told_in_one_message(problem: str, session: Start) -> None:
    client, endpoint = session(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n\n\n{STUB}")
    wanted = implementing(client, buffer)
    (argument,) = wanted["arguments"]
    if problem == "closed":
        client.notify("textDocument/didClose", {"textDocument": {"uri": buffer.uri}})
    elif problem == "no stub":
        zero = {"line": 0, "character": 0}
        argument["range"] = {"start": zero, "end": zero}
    else:
        argument["version"] = 99

    result = client.result(client.run_command(wanted))

    assert (result["proposal"], result["state"]) == (None, "refused")
    assert messages(client) == [result["reason"]]
    assert endpoint.requests == []


def test_nothing_of_a_secret_file_is_sent(session: Start) -> None:
    client, endpoint = session(ANSWER)
    buffer = Buffer("file:///project/.env", STUB)
    client.open(buffer)
    zero = {"line": 0, "character": 0}

    result = client.result(asking(client, buffer, "implement"))
    shown = command(client, "context", uri=buffer.uri, position=zero)["text"]

    assert result["state"] == "refused"
    assert "may hold secrets" in result["reason"]
    assert "Double" not in shown
    assert client.code_actions(buffer, 0) == []
    assert endpoint.requests == []


def test_why_there_is_nothing_can_be_looked_up(session: Start) -> None:
    client, _ = session(REASONING)
    buffer = Buffer("file:///why.py", f"\n\n{STUB}")

    client.result(client.run_command(implementing(client, buffer)))

    (reason,) = command(client, "why", uri=buffer.uri)["reasons"]
    assert reason["line"] == 2
    assert reason["reason"].startswith("Implement double: The model wrote no code.")


def test_a_name_that_is_too_long_for_a_file(session: Start) -> None:
    client, _ = session(ANSWER)
    buffer = Buffer(f"file:///{'a' * 5000}.py", STUB)
    client.open(buffer)

    assert client.result(asking(client, buffer, "implement", "Double"))["state"] == "offered"
