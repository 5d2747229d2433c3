"""Malformed messages over the wire: one response to each request, no pop-up, and the server lives.

The messages come from the protocol's own types (tests/support/lsp_messages.py).
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient, Message
from tests.support.lsp_messages import NOTHING, Malformed, Sent, methods, params
from tests.support.scripted_endpoint import ScriptedEndpoint

BUFFER = Buffer("file:///fuzz.py", 'x = "😀"\ndef f(x):\n    """Double x."""\n')
URIS = (BUFFER.uri, "file:///closed.py", "untitled:Untitled-1", "not a uri")
MESSAGES = 10_000 if os.environ.get("ASSISTANT_SOAK") else 1_000
BATCH = 200
TALKATIVE = (b"workspace/executeCommand", b"workspace/didChangeConfiguration")
LAST = "the last one of a batch"
NO_METHOD, INVALID_PARAMS, NOT_INITIALIZED = -32601, -32602, -32002
REFUSED = (-32700, -32600)


@pytest.fixture
def client() -> Iterator[LspClient]:
    with (
        ScriptedEndpoint(["There is no code here."]) as endpoint,
        LspClient({"ASSISTANT_ENDPOINT_URL": endpoint.url}) as client,
    ):
        yield client


def responses(client: LspClient) -> list[Message]:
    return [message for message in client.received if "method" not in message]


def answers(client: LspClient, batch: Sequence[Sent]) -> list[Message]:
    """Send a batch; all that came in answer, when each has what it is expected to have."""
    client.clear()
    expected = Counter(one.answer for one in batch if one.answer is not NOTHING)
    client.send_bytes(b"".join(one.data for one in batch))
    client.wait_until(lambda: len(responses(client)) >= expected.total())
    client.send({"jsonrpc": "2.0", "id": LAST, "method": "test/unknown"})
    client.response(LAST)
    found = [message for message in responses(client) if message["id"] != LAST]
    assert Counter(json.dumps(message["id"]) for message in found) == expected
    return found


def batches(supply: Malformed, count: int) -> Iterator[list[Sent]]:
    for first in range(0, count, BATCH):
        yield [supply.next() for _ in range(min(BATCH, count - first))]


def known_methods(client: LspClient) -> list[str]:
    """The methods that the server has: it says of all others that it does not know them."""
    requests = [method for method, is_request in methods().items() if is_request]
    notifications = [method for method in methods() if method not in requests]
    asked = {method: client.request(method, None) for method in requests}
    unknown = [method for method, request in asked.items() if code(client, request) == NO_METHOD]
    return [method for method in requests if method not in unknown] + notifications


def code(client: LspClient, request: int) -> int | None:
    found: int | None = client.response(request).get("error", {}).get("code")
    return found


def test_every_request_gets_exactly_one_response(client: LspClient) -> None:
    commands = client.initialize()["capabilities"]["executeCommandProvider"]["commands"]
    known = known_methods(client)
    assert {"textDocument/codeAction", "workspace/executeCommand"} < set(known)
    supply = Malformed(random.Random(7), URIS, known, commands)

    for batch in batches(supply, MESSAGES):
        client.open(BUFFER)
        answers(client, batch)

    assert client.process.poll() is None
    client.open(BUFFER)
    titles = [action["title"] for action in client.code_actions(BUFFER, 12)]
    assert "Implement f" in titles


def test_what_does_not_fit_the_protocol_is_no_pop_up(client: LspClient) -> None:
    """Commands may have something to tell, and settings: they are left out."""
    client.initialize()
    known = [one for one in known_methods(client) if one.encode() not in TALKATIVE]
    supply = Malformed(random.Random(8), URIS, known)

    for batch in batches(supply, MESSAGES):
        client.open(BUFFER)
        answers(
            client,
            [
                one
                for one in batch
                if b"xecuteCom" not in one.data and b"onfiguration" not in one.data
            ],
        )
        assert client.of("window/showMessage") == []


def test_before_initialize_and_after_shutdown_every_request_is_refused(client: LspClient) -> None:
    supply = Malformed(random.Random(9), URIS)
    batch = [supply.next() for _ in range(BATCH)]

    assert {one["error"]["code"] for one in answers(client, batch)} == {*REFUSED, NOT_INITIALIZED}

    client.clear()
    client.initialize()
    client.result(client.request("shutdown", None))
    assert {one["error"]["code"] for one in answers(client, batch)} == {*REFUSED}
    client.notify("exit", None)
    assert client.process.wait(10) == 0


def test_after_a_malformed_initialize_a_right_one_works(client: LspClient) -> None:
    right = {"processId": None, "rootUri": None, "capabilities": CAPABILITIES}
    chance = random.Random(10)
    wrong = [None, [], {}, "x", right | {"capabilities": None}, right | {"processId": "x"}]
    wrong += [right | {"workspaceFolders": [3]}, right | {"capabilities": {"textDocument": 3}}]
    wrong += [params("initialize", chance, URIS) | {"capabilities": 7} for _ in range(20)]

    assert {code(client, client.request("initialize", one)) for one in wrong} == {INVALID_PARAMS}

    client.initialize()
    client.open(BUFFER)
    assert client.code_actions(BUFFER, 12)
    assert client.of("window/showMessage") == []


def test_odd_capabilities_are_lived_with(client: LspClient) -> None:
    capabilities = {
        "workspace": {"applyEdit": "yes", "symbol": [], "workspaceEdit": {"documentChanges": 3}},
        "general": {"positionEncodings": [1, None, "utf-8"]},
        "experimental": [1],
    }

    result = client.initialize(capabilities=capabilities, rootUri=3)

    assert result["capabilities"]["positionEncoding"] == "utf-8"
    client.open(BUFFER)
    assert client.code_actions(BUFFER, 12)
