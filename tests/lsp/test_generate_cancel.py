"""Over the wire: several things at once, and every way to stop one of them."""

from __future__ import annotations

import asyncio

import pytest

from lsp.generate.proposals import State
from tests.lsp.conftest import Start
from tests.support.generating import (
    REQUEST_CANCELLED,
    STUB,
    command,
    held,
    implementing,
    messages,
)
from tests.support.lsp_client import Buffer
from tests.support.lsp_inside import InsideSession
from tests.support.scripted_endpoint import ScriptedEndpoint


def test_cancelling_the_request_stops_the_model(session: Start) -> None:
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(implementing(client, buffer))
    reply.wait_sent(index)

    client.notify("$/cancelRequest", {"id": request})

    assert client.error_code(request) == REQUEST_CANCELLED
    reply.wait_closed()
    assert reply.sent == index
    assert buffer.text == STUB
    assert messages(client) == []
    client.wait_for(lambda m: m.get("params", {}).get("value", {}).get("kind") == "end")
    assert command(client, "cancel") == {"cancelled": 0}


@pytest.mark.parametrize("way", ["button", "assistant.cancel", "assistant.reject", "didClose"])
def test_every_other_way_to_cancel_stops_the_model(way: str, session: Start) -> None:
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(implementing(client, buffer))
    token = client.wait_for(lambda m: m.get("method") == "$/progress")["params"]["token"]
    reply.wait_sent(index)

    if way == "button":
        client.notify("window/workDoneProgress/cancel", {"token": token})
    elif way == "didClose":
        client.notify("textDocument/didClose", {"textDocument": {"uri": buffer.uri}})
    else:
        command(client, way.partition(".")[2])

    result = client.result(request)
    assert (result["state"], result["reason"]) == ("cancelled", "cancelled")
    reply.wait_closed()
    assert messages(client) == []


def test_shutdown_stops_the_model_and_answers_its_request(own_session: Start) -> None:
    reply, index = held()
    client, _ = own_session(reply)
    request = client.run_command(implementing(client, Buffer("file:///a.py", STUB)))
    reply.wait_sent(index)

    assert client.leave() == 0

    assert client.error_code(request) == REQUEST_CANCELLED
    reply.wait_closed()


def test_an_editor_that_vanishes_stops_the_model(own_session: Start) -> None:
    reply, index = held()
    client, _ = own_session(reply)
    client.run_command(implementing(client, Buffer("file:///a.py", STUB)))
    reply.wait_sent(index)

    assert client.process.stdin is not None
    client.process.stdin.close()

    reply.wait_closed()
    assert client.process.wait(60) == 1


def test_the_server_answers_while_the_model_writes(session: Start) -> None:
    reply, index = held()
    client, _ = session(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(implementing(client, buffer))
    reply.wait_sent(index)

    assert client.code_actions(buffer, 0)
    assert client.responses(request) == []

    reply.release()
    client.result(request)


def test_the_same_stub_is_not_written_twice_at_a_time(session: Start) -> None:
    reply, index = held()
    client, endpoint = session(reply)
    wanted = implementing(client, Buffer("file:///a.py", STUB))
    first = client.run_command(wanted)
    reply.wait_sent(index)

    second = client.result(client.run_command(wanted))
    assert (second["proposal"], second["state"]) == (None, "refused")
    assert messages(client) == ["The assistant is at work on double already. Cancel that first."]
    reply.release()
    assert client.result(first)["state"] == "offered"
    assert len(endpoint.requests) == 1


def test_two_places_are_written_at_once(session: Start) -> None:
    one, index = held()
    other, _ = held()
    client, endpoint = session(one, other)
    buffer = Buffer("file:///a.py", f"{STUB}\n\n{STUB.replace('double', 'twice')}")
    client.open(buffer)
    starts = [0, buffer.text.index("twice")]
    requests = []
    for start in starts:
        span = {"start": buffer.position(start), "end": buffer.position(start)}
        argument = {"task": "implement", "uri": buffer.uri, "range": span}
        params = {"command": "assistant.generate", "arguments": [argument]}
        requests.append(client.request("workspace/executeCommand", params))
    one.wait_sent(index)
    other.wait_sent(index)

    assert command(client, "cancel") == {"cancelled": 2}

    assert {client.result(request)["state"] for request in requests} == {"cancelled"}
    assert len(endpoint.requests) == 2


async def showing(session: InsideSession, endpoint: ScriptedEndpoint) -> int:
    """Have a function explained, in an editor that never says that it has shown it."""
    window = {"workDoneProgress": True, "showDocument": {"support": True}}
    capabilities = {"workspace": {"applyEdit": True}, "window": window}
    session.answers["window/showDocument"] = lambda _: asyncio.Future()
    await session.initialize(capabilities, initializationOptions={"endpoint": endpoint.url})
    session.open("file:///a.py", "def f(x):\n    return 2 * x\n")
    place = {"line": 0, "character": 0}
    argument = {"task": "explain", "uri": "file:///a.py", "range": {"start": place, "end": place}}
    params = {"command": "assistant.generate", "arguments": [argument]}
    number = session.start("workspace/executeCommand", params)
    await session.wait_for(lambda m: m.get("method") == "window/showDocument")
    return number


async def test_an_explanation_that_is_there_stays_when_its_showing_is_cancelled() -> None:
    session = InsideSession()
    with ScriptedEndpoint(["It doubles.\n"]) as endpoint:
        number = await showing(session, endpoint)

        session.notify("$/cancelRequest", {"id": number})

        assert (await session.response(number))["error"]["code"] == REQUEST_CANCELLED
        (proposal,) = session.server.proposals.of("file:///a.py")
        assert proposal.state is State.EXPLAINED
        await session.server.engine.forget()


async def test_a_response_is_never_taken_for_that_to_a_request_of_the_editors() -> None:
    session = InsideSession()
    with ScriptedEndpoint(["It doubles.\n"]) as endpoint:
        number = await showing(session, endpoint)

        session.send({"id": number, "result": None})

        session.notify("$/cancelRequest", {"id": number})
        assert (await session.response(number))["error"]["code"] == REQUEST_CANCELLED
        await session.server.engine.forget()
