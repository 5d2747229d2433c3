"""What a session promises while it works: requests see their own moment, cancels are answered."""

from __future__ import annotations

import json
import sys

import pytest

from tests.lsp.conftest import Start
from tests.support.lsp_client import Buffer, LspClient, Message
from tests.support.scripted_endpoint import Reply

REQUEST_CANCELLED = -32800
URI = "file:///a.py"
SEEING = """
import asyncio, sys
from lsp import server

async def see(params):
    await asyncio.sleep(0)
    seen, newest = server_of().documents.seen(URI), server_of().documents.get(URI)
    return [one and one.text.value for one in (seen, newest)]

class Server(server.AssistantServer):
    def _register(self):
        super()._register()
        self.command("test.see")(see)
        global server_of
        server_of = lambda: self

URI = "file:///a.py"
server.AssistantServer = Server
sys.exit(server.main())
"""


def framed(method: str, params: Message, **more: object) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def changed_to(text: str, version: int) -> bytes:
    change = {"textDocument": {"uri": URI, "version": version}, "contentChanges": [{"text": text}]}
    return framed("textDocument/didChange", change)


def test_a_request_sees_the_documents_as_they_were_when_it_came() -> None:
    """All of it comes in one piece, so the change is there before the request's first step."""
    see = {"command": "test.see"}
    with LspClient(command=(sys.executable, "-c", SEEING)) as client:
        client.initialize()
        client.open(Buffer(URI, "one"))

        client.send_bytes(
            framed("workspace/executeCommand", see, id="one")
            + changed_to("two", 2)
            + framed("workspace/executeCommand", see, id="two")
            + framed("textDocument/didClose", {"textDocument": {"uri": URI}})
            + framed("workspace/executeCommand", see, id="closed")
        )

        assert client.response("one")["result"][0] == "one"
        assert client.response("two")["result"] == ["two", None]
        assert client.response("closed")["result"] == [None, None]


SLOW = '''\
def spin(x):
    """Spin.

    >>> spin(1)
    1
    """
'''
ENDLESS = f"```python\n{SLOW}    while True:\n        pass\n```\n"
OTHER = 'def other(x):\n    """Something else."""\n'


def implement(client: LspClient, buffer: Buffer) -> int:
    """Ask for the body of the one function in a buffer; the id of the request."""
    client.open(buffer)
    return client.run_command(client.offered(buffer, 0, "Implement "))


def test_cancels_are_answered_while_a_model_writes_and_a_check_runs(session: Start) -> None:
    """The check would take until its time is up: a cancel that waits for it gets a result."""
    checked, written = Reply.of(ENDLESS), Reply.of(ENDLESS)
    written.hold(2)
    client, _ = session(checked, written)
    checking = implement(client, Buffer(URI, SLOW))
    assert checked.finished.wait(30)
    writing = implement(client, Buffer("file:///b.py", OTHER))
    written.wait_sent(2)

    for request in (writing, checking):
        client.notify("$/cancelRequest", {"id": request})
        assert client.error_code(request) == REQUEST_CANCELLED

    written.wait_closed()
    assert client.of("window/showMessage") == []


@pytest.mark.parametrize("count", [30])
def test_cancels_of_many_requests_are_each_answered_once(count: int, session: Start) -> None:
    replies = [Reply.of(ENDLESS) for _ in range(count)]
    for reply in replies:
        reply.hold(1)
    client, endpoint = session(*replies)
    requests = [implement(client, Buffer(f"file:///{number}.py", OTHER)) for number in range(count)]

    for request in requests:
        client.notify("$/cancelRequest", {"id": request})
        client.notify("$/cancelRequest", {"id": request})

    assert {client.error_code(request) for request in requests} == {REQUEST_CANCELLED}
    client.response(client.request("test/unknown", None))
    assert [len(client.responses(request)) for request in requests] == [1] * count
    for reply in replies[: len(endpoint.requests)]:
        reply.wait_closed()
