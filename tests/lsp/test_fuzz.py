"""Random requests over the wire: one response to each, no pop-up, and the session lives."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.lsp_client import Buffer, LspClient

BUFFER = Buffer("file:///fuzz.py", 'x = "😀"\ndef f(x):\n    """Double x."""\n')
SPAN = {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 3}}
VALID: dict[str, Any] = {
    "textDocument/codeAction": {
        "textDocument": {"uri": BUFFER.uri},
        "range": SPAN,
        "context": {"diagnostics": [{"range": SPAN, "message": "m"}], "only": ["refactor"]},
    },
    "workspace/executeCommand": {
        "command": "assistant.generate",
        "arguments": [
            {"task": "implement", "uri": "file:///closed.py", "version": 1, "range": SPAN}
        ],
    },
    "initialize": {"processId": None, "rootUri": None, "capabilities": {}},
    "textDocument/hover": {"textDocument": {"uri": BUFFER.uri}, "position": SPAN["start"]},
    "test/unknown": {"type_name": "x", "_": [1]},
}
ODD = (None, True, -1, 2**70, 1.5, "", "x\ud83d", [], {}, [None], {"jsonrpc": "2.0"}, {"": 1})


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy of a JSON value with some parts replaced, dropped or added."""
    if chance.random() < 0.1:
        return copy.deepcopy(chance.choice(ODD))
    if isinstance(value, dict):
        kept = {k: mutated(v, chance) for k, v in value.items() if chance.random() > 0.05}
        if chance.random() < 0.1:
            kept[chance.choice(("jsonrpc", "id", "method", "data"))] = chance.choice(ODD)
        return kept
    if isinstance(value, list):
        return [mutated(v, chance) for v in value] * chance.choice((1, 1, 1, 2))
    return value


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LspClient]:
    home = str(tmp_path_factory.mktemp("home"))
    with LspClient({"ASSISTANT_HOME": home}) as client:
        client.initialize()
        client.open(BUFFER)
        yield client


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 25))]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_request_gets_exactly_one_response(seed: int, client: LspClient) -> None:
    chance = random.Random(seed)
    client.forget()

    requests = {}
    for _ in range(300):
        method, params = chance.choice(list(VALID.items()))
        requests[client.request(method, mutated(params, chance))] = method
        if chance.random() < 0.2:
            client.notify(method, mutated(params, chance))
        if chance.random() < 0.2:
            client.notify("$/cancelRequest", mutated({"id": max(requests)}, chance))
    client.response(client.request("test/last", None))

    for request, method in requests.items():
        client.response(request)
        assert len(client.responses(request)) == 1, method
    told = {params["message"] for params in client.of("window/showMessage")}
    assert told <= {"The document is not open."}  # the one answer to a well-formed command
    assert "Implement f" in [one["title"] for one in client.code_actions(BUFFER, 12)]
