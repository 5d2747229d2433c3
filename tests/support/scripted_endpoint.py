"""A small real HTTP server that speaks the OpenAI chat dialect and says what a test told it to say.

For tests on the wire that need a known answer: point the ``endpoint`` setting at ``server.url`` and
the code under test talks HTTP with server-sent events as it would with llama-server or vLLM.

    with ScriptedEndpoint([Reply.of("## Intent\\nDouble it.\\n## Code\\n...")]) as server:
        ...                                   # the client under test uses server.url

A reply is cut into chunks. ``reply.hold(3)`` makes the server wait before chunk 3 until the test
calls ``reply.release(3)``; ``reply.wait_sent(3)`` blocks the test until three chunks are out;
``reply.closed`` is set when the client hung up before the end. So no test needs a sleep.

With ``infill=True`` it fills in the middle as well, in llama-server's shape: the same replies
answer ``POST /infill``.

What is not covered: function calls, several choices, log probabilities.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PATIENCE = 30.0
"""Seconds after which a forgotten gate or a condition that never comes true fails the test."""


@dataclass
class Reply:
    """One answer: its chunks, where it waits, and what became of it.

    Attributes:
        chunks: content deltas, sent one event each.
        reasoning: deltas sent before them as ``reasoning_content`` (llama-server's field).
        reasoning_field: what vLLM and Ollama call it: ``reasoning``.
        usage_apart: send the cost in a chunk without choices behind the last, as OpenAI does.
        error_body: the whole JSON of an error, where a server has another shape.
        status: an HTTP status other than 200 sends ``error`` as a JSON error and nothing else.
        break_after: drop the connection without a word after that many chunks.
        finish_reason: what the last chunk says.
    """

    chunks: Sequence[str] = ()
    reasoning: Sequence[str] = ()
    status: int = 200
    error: str = "the scripted endpoint was told to fail"
    break_after: int | None = None
    finish_reason: str = "stop"
    reasoning_field: str = "reasoning_content"
    usage_apart: bool = False
    error_body: dict[str, Any] | None = None
    sent: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    _gates: dict[int, threading.Event] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    def of(cls, text: str, size: int = 8, **more: Any) -> Reply:
        """A reply that sends ``text`` in chunks of ``size`` characters."""
        return cls(chunks=[text[i : i + size] for i in range(0, len(text), size)], **more)

    def hold(self, index: int) -> None:
        """Make the server wait before chunk ``index``; ``len(chunks)`` is the end."""
        self._gates[index] = threading.Event()

    def release(self, index: int | None = None) -> None:
        """Open the gate before chunk ``index``, or every gate."""
        for position, gate in self._gates.items():
            if index is None or position == index:
                gate.set()

    def wait_sent(self, count: int) -> None:
        """Block until ``count`` chunks have been sent."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.sent >= count, PATIENCE):
                raise AssertionError(f"{self.sent} chunks were sent in {PATIENCE} s, not {count}")

    def wait_closed(self) -> None:
        """Block until the client has hung up before the end of this reply."""
        assert self.closed.wait(PATIENCE / 2), "the client did not close the stream"

    def note_sent(self) -> None:
        """Count one more chunk (for the server)."""
        with self._changed:
            self.sent += 1
            self._changed.notify_all()

    def pass_gate(self, index: int, client: socket.socket) -> bool:
        """Wait for the gate before chunk ``index``; False when the client hung up meanwhile."""
        gate = self._gates.get(index)
        deadline = time.monotonic() + PATIENCE
        while gate is not None and not gate.wait(0.005):
            if _hung_up(client):
                return False
            if time.monotonic() > deadline:
                raise RuntimeError(f"nobody opened the gate before chunk {index}")
        return not _hung_up(client)


class ScriptedEndpoint:
    """The server; a context manager. ``requests`` holds the JSON bodies it was asked with."""

    def __init__(
        self,
        replies: Sequence[Reply | str],
        model: str = "scripted",
        *,
        infill: bool = False,
        **entry: Any,
    ) -> None:
        self.model = model
        self.infill = infill
        self.entry = {"id": model, **entry}
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.script(replies)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Base address as users write it in the ``endpoint`` setting, with ``/v1``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for reply in self.replies:
            reply.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def script(self, replies: Sequence[Reply | str]) -> None:
        """Forget what was asked, and answer with these from now on."""
        with self._lock:
            self.replies = [Reply.of(r) if isinstance(r, str) else r for r in replies]
            self.requests.clear()
            self._next = 0

    def take(self, body: dict[str, Any]) -> Reply:
        """Record a request and give the next reply (the last one is repeated)."""
        with self._lock:
            self.requests.append(body)
            reply = self.replies[min(self._next, len(self.replies) - 1)]
            self._next += 1
            return reply


def _hung_up(client: socket.socket) -> bool:
    readable, _, _ = select.select([client], [], [], 0)
    if not readable:
        return False
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _chunk(model: str, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
        "choices": [choice],
    }


def _usage(reply: Reply) -> dict[str, Any]:
    count = len(reply.chunks) + len(reply.reasoning)
    return {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}


def _handler_for(endpoint: ScriptedEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing: stderr belongs to the test run."""

        def end_headers(self) -> None:
            if self.command == "POST":
                # Said, or a client sends its next request into a connection that is being closed.
                self.send_header("Connection", "close")
            super().end_headers()

        def do_GET(self) -> None:
            if self.path.endswith("/models"):
                self._json(200, {"object": "list", "data": [endpoint.entry]})
            elif self.path.endswith("/health"):
                self._json(200, {"status": "ok"})
            else:
                self._json(404, {"error": {"code": 404, "message": f"no {self.path}"}})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/infill") and endpoint.infill:
                if "input_prefix" in body:
                    self._fill(endpoint.take(body))
                else:
                    self._json(
                        400, {"error": {"code": 400, "message": '"input_prefix" is required'}}
                    )
                return
            if not self.path.endswith("/chat/completions"):
                self._json(404, {"error": {"code": 404, "message": f"no {self.path}"}})
                return
            reply = endpoint.take(body)
            if reply.status != 200:
                error = {"code": reply.status, "message": reply.error, "type": "scripted"}
                self._json(reply.status, reply.error_body or {"error": error})
            elif body.get("stream"):
                self._stream(reply)
            else:
                self._whole(reply)

        def _fill(self, reply: Reply) -> None:
            if reply.status != 200:
                self._json(reply.status, {"error": {"code": reply.status, "message": reply.error}})
                return
            self._begin()
            whole = False
            with contextlib.suppress(OSError):
                whole = self._send_filling(reply)
            (reply.finished if whole else reply.closed).set()

        def _send_filling(self, reply: Reply) -> bool:
            for index, text in enumerate(reply.chunks):
                if not reply.pass_gate(index, self.connection):
                    return False
                if reply.break_after == index:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return True
                self._event({"index": 0, "stop": False, "content": text})
                reply.note_sent()
            if not reply.pass_gate(len(reply.chunks), self.connection):
                return False
            kind = {"stop": "eos", "length": "limit"}[reply.finish_reason]
            self._event({"index": 0, "stop": True, "content": "", "stop_type": kind})
            self.wfile.write(b"0\r\n\r\n")
            return True

        def _begin(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()

        def _whole(self, reply: Reply) -> None:
            message = {"role": "assistant", "content": "".join(reply.chunks)}
            choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
            self._json(200, {"id": "chatcmpl-1", "choices": [choice], "usage": _usage(reply)})
            reply.finished.set()

        def _stream(self, reply: Reply) -> None:
            self._begin()
            try:
                whole = self._send_chunks(reply)
            except OSError:
                whole = False
            (reply.finished if whole else reply.closed).set()

        def _send_chunks(self, reply: Reply) -> bool:
            self._event(_chunk(endpoint.model, {"role": "assistant", "content": ""}))
            for text in reply.reasoning:
                self._event(_chunk(endpoint.model, {reply.reasoning_field: text}))
            for index, text in enumerate(reply.chunks):
                if not reply.pass_gate(index, self.connection):
                    return False
                if reply.break_after == index:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return True
                self._event(_chunk(endpoint.model, {"content": text}))
                reply.note_sent()
            if not reply.pass_gate(len(reply.chunks), self.connection):
                return False
            last = _chunk(endpoint.model, {}, reply.finish_reason)
            if reply.usage_apart:
                self._event(last | {"usage": None})
                last["choices"] = []
            self._event(last | {"usage": _usage(reply)})
            self._data(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
            return True

        def _event(self, payload: dict[str, Any]) -> None:
            self._data(b"data: " + json.dumps(payload).encode() + b"\n\n")

        def _data(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def _json(self, status: int, payload: dict[str, Any]) -> None:
            data = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
