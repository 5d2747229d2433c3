"""A raw language client for tests: starts `assistant lsp` as a process and speaks JSON-RPC to it.

It shares no code with the server: frames, positions and edits are done here once more, as an editor
would do them. Waiting is on conditions, never on time alone; a condition that does not come true
fails the test with what was received.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

PATIENCE = 60.0
ROOT = Path(__file__).resolve().parents[2]
Message = dict[str, Any]
_CODEC = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}

CAPABILITIES: Message = {
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["refactor.rewrite"]}}
        }
    },
    "window": {"workDoneProgress": True},
    "general": {"positionEncodings": ["utf-16"]},
}


@dataclass
class Buffer:
    """The editor's copy of a document; edits for another version are not taken."""

    uri: str
    text: str
    version: int = 1
    encoding: str = "utf-16"

    def position(self, offset: int) -> Message:
        """The position of an offset; lines end at `\\n` here."""
        line = self.text.count("\n", 0, offset)
        start = self.text.rfind("\n", 0, offset) + 1
        codec, width = _CODEC[self.encoding]
        column = len(self.text[start:offset].encode(codec, "surrogatepass")) // width
        return {"line": line, "character": column}

    def offset(self, position: Mapping[str, int]) -> int:
        """The offset of a position."""
        lines = self.text.split("\n")
        codec, width = _CODEC[self.encoding]
        line = lines[position["line"]].encode(codec)
        column = len(line[: position["character"] * width].decode(codec))
        return sum(len(one) + 1 for one in lines[: position["line"]]) + column

    def refusal(self, edit: Message) -> Message | None:
        """What an editor says to a `workspace/applyEdit` for another version than its own."""
        (change,) = edit["edit"]["documentChanges"]
        document = change["textDocument"]
        if (document["uri"], document["version"]) == (self.uri, self.version):
            return None
        return {"applied": False, "failureReason": f"the buffer is at {self.version}"}


@dataclass
class LspClient:
    """A session with a server process; a context manager that ends it by shutdown and exit."""

    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (sys.executable, "-m", "assistant", "lsp")
    errors: Path | None = None
    """Where the process's stderr goes; None: where the test's does."""
    received: list[Message] = field(default_factory=list)
    answers: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    """What to answer to the server's requests; without an entry null."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _next_id: int = 0

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            errors = None if self.errors is None else opened.enter_context(self.errors.open("ab"))
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**os.environ, **self.environment},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.leave()
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.stdout is not None
        self._reader.join(PATIENCE)
        self.process.stdout.close()

    def forget(self) -> None:
        """Forget what has been received, once everything sent so far has been handled."""
        self.response(self.request("test/unknown", None))
        self.clear()
        self.answers.clear()

    def clear(self) -> None:
        """Forget what has been received so far."""
        with self._changed:
            self.received.clear()

    def leave(self) -> int:
        """Shut the server down as an editor does; the exit code."""
        self.result(self.request("shutdown", None))
        self.notify("exit", None)
        return self.process.wait(PATIENCE)

    def initialize(self, **more: Any) -> Message:
        """Open the session; `capabilities` and others replace the usual parameters."""
        params = {"processId": os.getpid(), "rootUri": None, "capabilities": CAPABILITIES, **more}
        result: Message = self.result(self.request("initialize", params))
        self.notify("initialized", {})
        return result

    def open(self, buffer: Buffer, language: str = "python") -> None:
        """Open a buffer, and let the server's edits go to it."""
        item = {"uri": buffer.uri, "languageId": language, "version": buffer.version}
        self.notify("textDocument/didOpen", {"textDocument": {**item, "text": buffer.text}})
        self.answers["workspace/applyEdit"] = lambda edit: self.take(buffer, edit)

    def take(self, buffer: Buffer, edit: Message) -> Message:
        """Answer a `workspace/applyEdit` as an editor does: apply it and tell of the change."""
        if (refusal := buffer.refusal(edit)) is not None:
            return refusal
        edits = [
            (
                buffer.offset(one["range"]["start"]),
                buffer.offset(one["range"]["end"]),
                one["newText"],
            )
            for one in edit["edit"]["documentChanges"][0]["edits"]
        ]
        for start, end, new in sorted(edits, reverse=True):
            self.change(buffer, start, end, new)
        return {"applied": True}

    def change(self, buffer: Buffer, start: int, end: int, new: str) -> None:
        """Edit a buffer and tell the server."""
        span = {"start": buffer.position(start), "end": buffer.position(end)}
        buffer.text = buffer.text[:start] + new + buffer.text[end:]
        buffer.version += 1
        identifier = {"uri": buffer.uri, "version": buffer.version}
        changes = [{"range": span, "text": new}]
        self.notify(
            "textDocument/didChange", {"textDocument": identifier, "contentChanges": changes}
        )

    def code_actions(self, buffer: Buffer, offset: int, **context: Any) -> list[Message]:
        """The code actions at an offset."""
        return self.code_actions_at(buffer.uri, buffer.position(offset), **context)

    def code_actions_at(self, uri: str, position: Message, **context: Any) -> list[Message]:
        """The code actions at a position."""
        params = {
            "textDocument": {"uri": uri},
            "range": {"start": position, "end": position},
            "context": {"diagnostics": [], **context},
        }
        return self.result(self.request("textDocument/codeAction", params)) or []

    def offered(self, buffer: Buffer, offset: int, title: str) -> Message:
        """The command of the one action at an offset whose title begins so."""
        actions = self.code_actions(buffer, offset)
        (command,) = (one["command"] for one in actions if one["title"].startswith(title))
        found: Message = command
        return found

    def run_command(self, command: Message, **more: Any) -> int:
        """Execute the command of a code action; the id of the request."""
        params = {"command": command["command"], "arguments": command["arguments"], **more}
        return self.request("workspace/executeCommand", params)

    def request(self, method: str, params: Any) -> int:
        """Send a request; its id."""
        self._next_id += 1
        message = {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params}
        self.send(message)
        return self._next_id

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def send(self, message: Any) -> None:
        """Send anything as one frame of JSON."""
        self.send_frame(json.dumps(message).encode())

    def send_frame(self, body: bytes) -> None:
        """Send a frame with this body."""
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def response(self, request_id: Any) -> Message:
        """The one response to a request."""
        return self.wait_for(lambda m: "method" not in m and m.get("id") == request_id)

    def result(self, request_id: int) -> Any:
        """The result of a request that must succeed."""
        response = self.response(request_id)
        assert "error" not in response, response
        return response["result"]

    def error_code(self, request_id: Any) -> int:
        """The error code of a request that must fail."""
        response = self.response(request_id)
        assert "error" in response, response
        code: int = response["error"]["code"]
        return code

    def responses(self, request_id: Any) -> list[Message]:
        """All responses to a request that have come so far."""
        with self._changed:
            return [m for m in self.received if "method" not in m and m.get("id") == request_id]

    def of(self, method: str) -> list[Any]:
        """The parameters of all messages of a method that have come so far."""
        with self._changed:
            return [m.get("params") for m in self.received if m.get("method") == method]

    def wait_for(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message, past or to come, that `wanted` accepts."""

        def found() -> Message | None:
            return next((m for m in self.received if wanted(m)), None)

        with self._changed:
            message = self._changed.wait_for(found, PATIENCE)
            if message is None:
                raise AssertionError(f"not received within {PATIENCE} s; got {self.received}")
            return message

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until what has been received makes a condition true."""
        with self._changed:
            if not self._changed.wait_for(condition, PATIENCE):
                raise AssertionError(f"not true within {PATIENCE} s; got {self.received}")

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while header := stream.readline():
            if not header.lower().startswith(b"content-length:"):
                assert not header.strip(), f"not a header on stdout: {header!r}"
                continue
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            message = json.loads(stream.read(length))
            with self._changed:
                self.received.append(message)
                self._changed.notify_all()
            if "method" in message and "id" in message:
                answer = self.answers.get(message["method"], lambda _: None)(message.get("params"))
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": answer})
