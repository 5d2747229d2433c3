"""A language client that takes times: it reads in the thread that waits, and keeps no history."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from tests.support.lsp_client import ROOT

Message = dict[str, Any]
SERVER = (sys.executable, "-m", "assistant", "lsp")
BARE = (
    sys.executable,
    "-c",
    "from pygls.lsp.server import LanguageServer; LanguageServer('bare', '1').start_io()",
)
CAPABILITIES: Message = {
    "general": {"positionEncodings": ["utf-16"]},
    "window": {"workDoneProgress": True},
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "textDocument": {
        "inlineCompletion": {},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}}},
    },
    "experimental": {"assistant": {"status": True, "events": True}},
}


class Wire:
    """A session with a server process; a context manager."""

    def __init__(
        self, command: Sequence[str] = SERVER, environment: Mapping[str, str] | None = None
    ) -> None:
        self._last = 0
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """No courtesy: a bare server has none either."""
        self._process.kill()
        self._process.communicate()

    def initialize(self, **options: Any) -> float:
        """Open the session; milliseconds from the start of the process to the answer."""
        params = {"processId": None, "rootUri": None, "capabilities": CAPABILITIES}
        self.until(self.request("initialize", params | {"initializationOptions": options}))
        taken = (time.perf_counter() - self.started) * 1000
        self.notify("initialized", {})
        return taken

    def request(self, method: str, params: Any) -> int:
        """Send a request; its id."""
        self._last += 1
        self._send({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        return self._last

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Any) -> Any:
        """The result of a request; None where it failed."""
        return self.until(self.request(method, params)).get("result")

    def until(self, request: int) -> Message:
        """Read until a request is answered; the answer."""
        while True:
            message = self.read()
            if message.get("id") == request and "method" not in message:
                return message

    def until_told(self, method: str) -> Message:
        """Read until a notification comes; its parameters."""
        while True:
            message = self.read()
            if message.get("method") == method:
                params: Message = message["params"]
                return params

    def read(self) -> Message:
        """The next message; the server's questions are answered with null."""
        stream = self._process.stdout
        assert stream is not None
        length = 0
        while line := stream.readline():
            if not line.strip():
                break
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if not length:
            raise EOFError("the server has ended")
        message: Message = json.loads(stream.read(length))
        if "method" in message and "id" in message:
            self._send({"jsonrpc": "2.0", "id": message["id"], "result": None})
        return message

    def _send(self, message: Message) -> None:
        body = json.dumps(message).encode()
        stream = self._process.stdin
        assert stream is not None
        stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        stream.flush()


class Typing:
    """A document that somebody types in."""

    def __init__(self, wire: Wire, uri: str, text: str, offset: int) -> None:
        self._wire = wire
        self._uri = uri
        self._version = 0
        self.text = text
        self.offset = offset
        item = {"uri": uri, "languageId": "python", "version": 0, "text": text}
        wire.notify("textDocument/didOpen", {"textDocument": item})

    def key(self, letter: str) -> float:
        """Type a letter; when it was, by `time.perf_counter`."""
        place = self.position()
        self.text = self.text[: self.offset] + letter + self.text[self.offset :]
        self.offset += 1
        self._version += 1
        change = {"range": {"start": place, "end": place}, "text": letter}
        identifier = {"uri": self._uri, "version": self._version}
        params = {"textDocument": identifier, "contentChanges": [change]}
        pressed = time.perf_counter()
        self._wire.notify("textDocument/didChange", params)
        return pressed

    def ghost_text(self) -> str:
        """What would be shown in grey; empty: nothing."""
        params = {
            "textDocument": {"uri": self._uri},
            "position": self.position(),
            "context": {"triggerKind": 2},
        }
        found = self._wire.ask("textDocument/inlineCompletion", params)
        items = (found or {}).get("items", []) if isinstance(found, dict) else found or []
        if not items:
            return ""
        # The text replaces what stands before the cursor, too.
        start = items[0]["range"]["start"]["character"] if items[0].get("range") else None
        typed = 0 if start is None else self.position()["character"] - start
        return str(items[0]["insertText"])[typed:]

    def position(self) -> Message:
        """Where the cursor is; the texts here are ASCII."""
        line = self.text.count("\n", 0, self.offset)
        return {"line": line, "character": self.offset - self.text.rfind("\n", 0, self.offset) - 1}

    def close(self) -> None:
        """Close the document."""
        self._wire.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})
