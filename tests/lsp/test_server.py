"""Over the wire, to a real process: one response for each request, whatever its parameters."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient

INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32600, -32601, -32602
PARSE_ERROR, NOT_INITIALIZED = -32700, -32002

STUB = 'def f(x):\n    """Double x."""\n'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LspClient]:
    """One session for all tests that leave it as it was."""
    home = str(tmp_path_factory.mktemp("home"))
    with LspClient({"ASSISTANT_HOME": home}) as client:
        client.initialize()
        yield client


@pytest.fixture
def fresh() -> Iterator[LspClient]:
    """A process that has been told nothing yet."""
    with LspClient() as client:
        yield client


def sync(client: LspClient) -> None:
    """Wait until everything sent so far has been handled."""
    client.error_code(client.request("test/unknown", None))


def test_capabilities_say_what_there_is(fresh: LspClient) -> None:
    capabilities = fresh.initialize()["capabilities"]

    assert "refactor.rewrite" in capabilities["codeActionProvider"]["codeActionKinds"]
    assert "assistant.generate" in capabilities["executeCommandProvider"]["commands"]
    assert capabilities["inlineCompletionProvider"] == {}
    assert capabilities["textDocumentSync"]["openClose"] is True
    assert capabilities["textDocumentSync"]["change"] == 2


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["utf-8", "utf-16", "utf-32"], "utf-16"),
        (["utf-8"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["utf-7"], "utf-16"),
        (None, "utf-16"),
    ],
)
def test_utf16_is_chosen_where_it_is_offered(
    fresh: LspClient, offered: list[str] | None, chosen: str
) -> None:
    general = {} if offered is None else {"general": {"positionEncodings": offered}}

    result = fresh.initialize(capabilities={**CAPABILITIES, "general": {}, **general})

    assert result["capabilities"]["positionEncoding"] == chosen


BAD_PARAMS = {
    "missing": ("textDocument/codeAction", None),
    "a list": ("textDocument/codeAction", [1, 2]),
    "a string": ("textDocument/codeAction", "x"),
    "half": ("textDocument/codeAction", {"textDocument": {"uri": "file:///a.py"}}),
    "a text for a number": (
        "textDocument/codeAction",
        {
            "textDocument": {"uri": "file:///a.py"},
            "range": {"start": {"line": "x", "character": 0}, "end": {"line": 0, "character": 0}},
            "context": {"diagnostics": []},
        },
    ),
    "no command": ("workspace/executeCommand", {}),
    "an unknown command": ("workspace/executeCommand", {"command": "rm -rf"}),
    "no arguments": ("workspace/executeCommand", {"command": "assistant.generate"}),
    "odd arguments": (
        "workspace/executeCommand",
        {"command": "assistant.generate", "arguments": [{"uri": 1, "range": []}]},
    ),
    "an empty range": (
        "workspace/executeCommand",
        {"command": "assistant.generate", "arguments": [{"uri": "file:///a", "range": {}}]},
    ),
    "an odd version": (
        "workspace/executeCommand",
        {
            "command": "assistant.generate",
            "arguments": [{"uri": "file:///a", "version": "1", "range": {}}],
        },
    ),
}


@pytest.mark.parametrize(("method", "params"), BAD_PARAMS.values(), ids=BAD_PARAMS)
def test_parameters_that_do_not_fit_get_one_error(
    client: LspClient, method: str, params: object
) -> None:
    """pygls answers nothing at all to most of these, and shows a pop-up."""
    request = client.request(method, params)

    assert client.error_code(request) == INVALID_PARAMS
    sync(client)
    assert len(client.responses(request)) == 1
    assert client.of("window/showMessage") == []


@pytest.mark.parametrize("method", ["textDocument/moniker", "$/optional", "nonsense", ""])
def test_an_unknown_method_gets_one_error(client: LspClient, method: str) -> None:
    request = client.request(method, {"type_name": "not an identifier", "jsonrpc": "2.0"})

    assert client.error_code(request) == METHOD_NOT_FOUND
    sync(client)
    assert len(client.responses(request)) == 1


def test_a_nested_key_jsonrpc_is_only_a_key(client: LspClient) -> None:
    """pygls takes any object with that key for a message of its own and fails the whole one."""
    buffer = Buffer("file:///nested.py", STUB)
    client.open(buffer)
    settings = {"settings": {"jsonrpc": "2.0", "id": 7, "method": "x"}}
    client.notify("workspace/didChangeConfiguration", settings)
    diagnostic = {
        "range": {"start": buffer.position(0), "end": buffer.position(0)},
        "message": "m",
        "data": {"jsonrpc": "2.0", "id": 3},
    }

    actions = client.code_actions(buffer, 0, diagnostics=[diagnostic])

    assert "Implement f" in [action["title"] for action in actions]


@pytest.mark.parametrize("request_id", [None, True, 1.5, [1], {"a": 1}])
def test_an_odd_id_gets_an_error(client: LspClient, request_id: object) -> None:
    client.forget()

    client.send({"jsonrpc": "2.0", "id": request_id, "method": "shutdown"})

    known = request_id if isinstance(request_id, float) else None
    assert client.error_code(known) == INVALID_REQUEST


BROKEN_FRAMES = {
    "half JSON": (b'{"jsonrpc": "2.0", "id":', PARSE_ERROR),
    "not UTF-8": (b'{"a": "\xff\xfe"}', PARSE_ERROR),
    "nested absurdly": (b"[" * 100_000, PARSE_ERROR),
    "nothing": (b" ", PARSE_ERROR),
    "a batch": (b'[{"jsonrpc": "2.0", "id": 1, "method": "shutdown"}]', INVALID_REQUEST),
    "a number": (b"42", INVALID_REQUEST),
    "no method": (b'{"jsonrpc": "2.0"}', INVALID_REQUEST),
}


@pytest.mark.parametrize(("body", "code"), BROKEN_FRAMES.values(), ids=BROKEN_FRAMES)
def test_a_broken_message_gets_an_error_and_the_session_goes_on(
    client: LspClient, body: bytes, code: int
) -> None:
    client.forget()

    client.send_frame(body)

    assert client.error_code(None) == code
    sync(client)
    assert client.of("window/showMessage") == []


def test_odd_headers_are_read_as_http_reads_them(client: LspClient) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": "x", "method": "test/unknown"}).encode()

    client.send_bytes(b"junk without meaning\r\ncontent-LENGTH:  %d  \r\n" % len(body))
    client.send_bytes(b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n" + body)

    assert client.error_code("x") == METHOD_NOT_FOUND


@pytest.mark.parametrize("length", [b"999999999999", b"-5\r\n\r\nContent-Length: 999999999999"])
def test_a_message_of_absurd_length_ends_the_session(fresh: LspClient, length: bytes) -> None:
    """Nothing after it can be framed any more, and no memory is set aside for it."""
    fresh.initialize()

    fresh.send_bytes(b"Content-Length: %s\r\n\r\n{}" % length)

    assert fresh.process.wait(10) == 1


BAD_NOTIFICATIONS = {
    "unopened": (
        "textDocument/didChange",
        {"textDocument": {"uri": "file:///no.py", "version": 2}, "contentChanges": [{"text": ""}]},
    ),
    "malformed": ("textDocument/didOpen", {"textDocument": 3}),
    "unknown": ("workspace/whatever", {}),
    "cancel of nothing": ("$/cancelRequest", {"id": 4711}),
    "cancel of an odd id": ("$/cancelRequest", {"id": [1]}),
    "progress of nobody": ("window/workDoneProgress/cancel", {"token": "x"}),
    "close twice": ("textDocument/didClose", {"textDocument": {"uri": "file:///no.py"}}),
}


@pytest.mark.parametrize(("method", "params"), BAD_NOTIFICATIONS.values(), ids=BAD_NOTIFICATIONS)
def test_a_bad_notification_is_no_pop_up(client: LspClient, method: str, params: object) -> None:
    client.notify(method, params)

    sync(client)
    assert client.of("window/showMessage") == []


def test_nothing_is_answered_before_initialize_but_that(fresh: LspClient) -> None:
    assert fresh.error_code(fresh.request("textDocument/hover", {})) == NOT_INITIALIZED
    fresh.initialize()
    again = {"capabilities": {}, "processId": None, "rootUri": None}
    assert fresh.error_code(fresh.request("initialize", again)) == INVALID_REQUEST


def test_after_shutdown_requests_are_invalid_and_exit_is_clean(fresh: LspClient) -> None:
    fresh.initialize()
    fresh.result(fresh.request("shutdown", {}))

    assert fresh.error_code(fresh.request("textDocument/hover", {})) == INVALID_REQUEST
    assert fresh.error_code(fresh.request("shutdown", None)) == INVALID_REQUEST
    before = time.monotonic()
    fresh.notify("exit", None)
    assert fresh.process.wait(10) == 0
    assert time.monotonic() - before < 1.0


def test_exit_without_shutdown_is_an_error(fresh: LspClient) -> None:
    fresh.initialize()

    fresh.notify("exit", None)

    assert fresh.process.wait(10) == 1


@pytest.mark.parametrize("last", [b"", b"Content-Length: 50\r\n\r\n{", b"Content-Le"])
def test_the_end_of_stdin_ends_the_server(last: bytes, fresh: LspClient) -> None:
    """An editor that was killed, in the middle of a message even, leaves no server behind."""
    fresh.initialize()
    assert fresh.process.stdin is not None
    fresh.send_bytes(last)

    fresh.process.stdin.close()

    assert fresh.process.wait(10) == 1


def test_options_that_can_not_be_used_are_told_once(fresh: LspClient) -> None:
    fresh.initialize(initializationOptions={"maxTokens": "many", "colour": "red"})
    sync(fresh)

    (message,) = fresh.of("window/showMessage")
    assert "maxTokens must be a whole number, not 'many'." in message["message"]
    assert "colour is not an option" in message["message"]
