"""A small real HTTP server that answers like a teacher, and misbehaves on command.

    with TeacherServer() as server:
        server.behave = lambda n, body: Reply(status=429) if n < 3 else Reply(GOOD)

`behave` is asked once a request, with its number (from 0) and its JSON body. `server.bodies` holds
what was asked, in the order in which it came in.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from training.world import Problem
from training.world.problem import Construction

PATIENCE = 30.0

GOOD = """## Intent
Sum the even numbers of nums.
## Steps
1. Go over nums.
2. Keep even ones: x % 2 == 0.
## Formulas
None
## Edge cases
- empty nums: 0
"""


def a_problem(number: int, **more: Any) -> Problem:
    """A problem that no program can explain."""
    made = Construction("", (), "", (), (), ())
    name = f"f{number}"
    given = {
        "id": f"t{number}",
        "request": f"Task number {number}: add one to x.",
        "register": "",
        "signature": None,
        "name": name,
        "code": f"def {name}(x):\n    return x + 1\n",
        "tests": (f"assert {name}(1) == 2",),
        "structure": "",
        "construction": made,
        "split": "train",
    }
    return Problem(**{**given, **more})


@dataclass
class Reply:
    """What is done with one request.

    Attributes:
        text: the answer.
        model: the name that it is given under; None: the one that was asked for.
        cut: hang up after so many bytes of the body.
        drop: hang up without a word.
        raw: the body, whatever it is.
        wait: the reply is sent when this is set.
        usage: tokens that are counted, or None.
    """

    text: str = GOOD
    status: int = 200
    finish: str | None = "stop"
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    drop: bool = False
    raw: bytes | None = None
    wait: threading.Event | None = None
    usage: tuple[int, int] | None = (100, 50)


class TeacherServer:
    """The server; a context manager."""

    def __init__(self) -> None:
        self.behave: Callable[[int, dict[str, Any]], Reply] = lambda number, body: Reply()
        self.bodies: list[dict[str, Any]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Block until it is true; looked at whenever a request comes or goes."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"{len(self.bodies)} requests came"

    def enter(self, body: dict[str, Any]) -> Reply:
        with self._changed:
            number = len(self.bodies)
            self.bodies.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self._changed.notify_all()
        return self.behave(number, body)

    def leave(self) -> None:
        with self._changed:
            self._at_once -= 1
            self._changed.notify_all()


def _handler_for(server: TeacherServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Say nothing: stderr belongs to the test run."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = server.enter(body)
            try:
                if reply.wait is not None:
                    reply.wait.wait(PATIENCE)
                self._send(reply, body)
            except OSError:
                self.close_connection = True
            finally:
                server.leave()

        def _send(self, reply: Reply, body: dict[str, Any]) -> None:
            if reply.drop:
                self._hang_up()
                return
            data = reply.raw if reply.raw is not None else _body(reply, body)
            self.send_response(reply.status)
            kind = "text/event-stream" if body.get("stream") else "application/json"
            self.send_header("Content-Type", kind)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if body.get("stream"):
                self.send_header("Connection", "close")
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: reply.cut])
            self.wfile.flush()
            if reply.cut is not None:
                self._hang_up()

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    return Handler


def _body(reply: Reply, asked: dict[str, Any]) -> bytes:
    if reply.status != 200:
        return json.dumps({"error": {"message": reply.text}}).encode()
    model = reply.model or asked["model"]
    usage = reply.usage and {"prompt_tokens": reply.usage[0], "completion_tokens": reply.usage[1]}
    if not asked.get("stream"):
        choice = {"message": {"content": reply.text}, "finish_reason": reply.finish}
        return json.dumps({"model": model, "choices": [choice], "usage": usage}).encode()
    pieces = [reply.text[i : i + 20] for i in range(0, len(reply.text), 20)]
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": {"content": p}}]} for p in pieces]
    chunks.append({"choices": [{"delta": {}, "finish_reason": reply.finish}]})
    chunks.append({"choices": [], "usage": usage})
    lines = [f"data: {json.dumps({'model': model, **chunk})}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()
