"""Clients that come, cancel, die and find the daemon killed, in any order.

Each answer that comes to its end is what the same request says alone; nothing hangs, and nothing
of a request that has gone is kept. `make test-soak` runs 200 schedules.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant import locations
from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings, Limits, Text
from tests.engine.scheduling import TOLERANCE, Desk
from tests.support.daemons import client, health, wait_until
from tests.support.tiny_gguf import Tiny, write

TOKENS = 24
CLIENTS = 5
SCHEDULES = 200 if os.environ.get("ASSISTANT_SOAK") else 6
PATIENCE = 60


@dataclass(frozen=True)
class Known:
    """A request and what it says alone."""

    prompt: str
    text: str


@pytest.fixture(scope="session")
def model(models: Path) -> Path:
    """Random weights: what it says depends on all that it has read."""
    return write(models / "scheduled.gguf", Tiny(context=1024, layers=4))


@pytest.fixture(scope="session")
def known(model: Path) -> list[Known]:
    """Requests whose every choice is clearer than rounding can blur."""
    found: list[Known] = []
    with Engine(model, EngineSettings(threads=1)) as engine:
        desk = Desk(engine)
        for number in range(400):
            prompt = f"shared beginning {'of words ' * (number % 30)}{number}"
            limits = Limits(max_tokens=TOKENS, logprobs=2)
            asked = desk.all_of(engine.prepare_raw(prompt, limits=limits))
            if min((lead for _, lead in asked.chosen), default=0) > TOLERANCE:
                text = "".join(out.text for out in asked.outputs if isinstance(out, Text))
                found.append(Known(prompt, text))
    assert len(found) >= 12
    return found


@contextmanager
def one_daemon(model: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "assistant.daemon", "--model-path", str(model)]
    command += ["--model-name", "tiny", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: health() == "ok" or process.poll() is not None, "it is loaded")
        yield process
    finally:
        process.kill()
        process.wait()


def connection() -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(PATIENCE)
    made.connect(os.fspath(locations.socket_path()))
    return made


def request_bytes(known: Known, identity: str, **more: Any) -> bytes:
    body = json.dumps({"prompt": known.prompt, "max_tokens": TOKENS, "stream": True, **more})
    head = "POST /v1/completions HTTP/1.1\r\nHost: daemon\r\nContent-Type: application/json\r\n"
    head += f"X-Request-Id: {identity}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body.encode()


def answer_of(stream: socket.socket) -> tuple[str, str | None]:
    """The text that came, and the reason of the end; None when the stream broke off."""
    data = b""
    while part := stream.recv(65536):
        data += part
    text, reason = "", None
    for line in data.splitlines():
        if line.startswith(b"data: {"):
            choice = json.loads(line[6:])["choices"][0]
            text += choice.get("text") or ""
            reason = choice["finish_reason"] or reason
    return text, reason


@dataclass
class Client:
    """One of several at once, with its own luck."""

    number: int
    seed: int
    known: list[Known]
    problems: list[str] = field(default_factory=list)
    whole: int = 0

    def run(self) -> None:
        chance = random.Random(self.seed * 100 + self.number)
        for turn in range(4):
            one = chance.choice(self.known)
            identity = f"{self.seed}-{self.number}-{turn}"
            priority = chance.choice(["inline", "interactive", "background"])
            more = {"priority": priority, "source": chance.choice(["", "a", "b"])}
            what = chance.choice(["read", "read", "read", "cancel", "leave", "shut"])
            try:
                self._ask(one, identity, what, chance, more)
            except TimeoutError:
                self.problems.append(f"{identity} hung ({what})")
            except (OSError, httpx.HTTPError):
                return  # the daemon is gone

    def _ask(
        self, one: Known, identity: str, what: str, chance: random.Random, more: dict[str, Any]
    ) -> None:
        with connection() as stream:
            stream.sendall(request_bytes(one, identity, **more))
            if what == "leave":
                stream.recv(chance.randrange(1, 2000))
                return
            if what == "shut":
                stream.shutdown(socket.SHUT_WR)
            if what == "cancel":
                stream.recv(chance.randrange(1, 400), socket.MSG_PEEK)
                with client() as http:
                    http.delete(f"/v1/requests/{identity}")
            text, reason = answer_of(stream)
        if reason in ("length", "stop") and text != one.text:
            self.problems.append(f"{identity} said {text!r} instead of {one.text!r}")
        elif reason in ("cancelled", None) and not one.text.startswith(text):
            self.problems.append(f"{identity} was cut and said {text!r}, not {one.text!r}")
        self.whole += reason in ("length", "stop")


def play(seed: int, known: list[Known], during: Any = None) -> list[Client]:
    clients = [Client(number, seed, known) for number in range(CLIENTS)]
    threads = [threading.Thread(target=one.run) for one in clients]
    for thread in threads:
        thread.start()
    if during is not None:
        during()
    for thread in threads:
        thread.join(4 * PATIENCE)
        assert not thread.is_alive(), "a client hangs"
    return clients


def test_any_schedule_leaves_the_daemon_as_it_was(model: Path, known: list[Known]) -> None:
    whole = 0
    with one_daemon(model), client() as http:
        for seed in range(SCHEDULES):
            clients = play(seed, known)
            assert [one.problems for one in clients] == [[]] * CLIENTS
            whole += sum(one.whole for one in clients)
            wait_until(lambda: http.get("/status").json()["queue"] == {"running": 0, "waiting": 0})
    assert whole > SCHEDULES


def test_a_killed_daemon_costs_the_running_requests_only(model: Path, known: list[Known]) -> None:
    """What was read is right up to the kill, no client hangs, and the next daemon serves."""
    for seed in range(max(2, SCHEDULES // 10)):
        with one_daemon(model) as process:
            chance = random.Random(seed)

            def kill(process: Any = process, chance: Any = chance) -> None:
                with client() as http:
                    served = chance.randrange(10)
                    wait_until(lambda: _served(http) >= served)
                os.kill(process.pid, signal.SIGKILL)

            clients = play(seed + 5000, known, kill)
            assert [one.problems for one in clients] == [[]] * CLIENTS
    with one_daemon(model), connection() as stream:
        stream.sendall(request_bytes(known[0], "afterwards"))
        assert answer_of(stream) == (known[0].text, "length")


def _served(http: httpx.Client) -> int:
    try:
        return int(http.get("/status").json()["requests_served"])
    except httpx.HTTPError:
        return sys.maxsize
