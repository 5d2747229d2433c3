"""The language server in the test's own process and event loop, spoken to in JSON-RPC.

For tests that look at its parts while it serves; what an editor sees over the wire is tested with
`tests.support.lsp_client`. Waiting is on conditions.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
from collections.abc import Callable
from typing import Any

from lsp.server import AssistantServer
from lsp.wire import Writer, frames

PATIENCE = 20.0
Message = dict[str, Any]


class InsideSession:
    """A server, what it has sent, and how an editor answers it."""

    def __init__(self) -> None:
        self.server = AssistantServer()
        self.received: list[Message] = []
        self.answers: dict[str, Callable[[Any], Any]] = {}
        """What to answer to the server's requests, or a future to wait for; without one null."""
        self._numbers = itertools.count(1)
        self._answering: set[asyncio.Task[None]] = set()
        self.server.protocol.set_writer(Writer(self, on_broken=lambda: None))

    # What the writer wants of a stream.

    def write(self, data: bytes) -> None:
        """Take one frame from the server."""
        (body,) = frames(io.BytesIO(data))
        message = json.loads(body)
        self.received.append(message)
        if "method" in message and "id" in message:
            task = asyncio.ensure_future(self._answer(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def flush(self) -> None:
        """Nothing is kept back."""

    async def _answer(self, message: Message) -> None:
        answer = self.answers.get(message["method"], lambda _: None)(message["params"])
        if asyncio.isfuture(answer):
            answer = await answer
        self.send({"id": message["id"], "result": answer})

    # What an editor does.

    def send(self, message: Message) -> None:
        """Send a message."""
        self.server.protocol.receive(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    def start(self, method: str, params: Any) -> int:
        """Send a request; its id."""
        number = next(self._numbers)
        self.send({"id": number, "method": method, "params": params})
        return number

    async def response(self, number: int) -> Message:
        """The response to a request."""
        return await self.wait_for(lambda m: "method" not in m and m.get("id") == number)

    async def request(self, method: str, params: Any) -> Any:
        """The result of a request that must succeed."""
        response = await self.response(self.start(method, params))
        assert "error" not in response, response
        return response["result"]

    async def command(self, command: str, argument: Any = None) -> Any:
        """The result of a command."""
        arguments = [] if argument is None else [argument]
        params = {"command": command, "arguments": arguments}
        return await self.request("workspace/executeCommand", params)

    async def initialize(self, capabilities: Message | None = None, **more: Any) -> Message:
        """Open the session."""
        params = {"processId": None, "rootUri": None, "capabilities": capabilities or {}, **more}
        result: Message = await self.request("initialize", params)
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str = "x = 1\n", language: str = "python") -> None:
        """Open a document."""
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def of(self, method: str) -> list[Any]:
        """The parameters of all messages of a method that have come so far."""
        return [m["params"] for m in self.received if m.get("method") == method]

    async def wait_for(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message, past or to come, that `wanted` accepts."""
        found = await until(lambda: next((m for m in self.received if wanted(m)), None))
        assert isinstance(found, dict)
        return found


async def until(condition: Callable[[], Any]) -> Any:
    """The first true value of `condition`, asked again and again."""
    async with asyncio.timeout(PATIENCE):
        while not (value := condition()):
            await asyncio.sleep(0.002)
    return value
