"""Malformed requests: one clear error each, and the daemon goes on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant import locations
from tests.daemon.malformed import Case, case
from tests.support.daemons import PATIENCE, chat, daemon

COUNTS = [400, pytest.param(10_000, marks=pytest.mark.soak)]


@pytest.mark.parametrize("count", COUNTS)
def test_malformed_requests_cost_an_error_each(
    count: int, models: Path, http: httpx.Client
) -> None:
    """Never a death, never a 500, never silence; the next good request is served."""
    with daemon(models / "abcd.gguf") as process:
        for seed in range(count):
            wrong = case(seed)
            told = answers(exchange(wrong))
            where = f"seed {seed}: {wrong}"[:400]
            assert told, f"no answer to {where}"
            check(wrong, told, where)
            if seed % 50 == 0:
                good = http.post("/v1/chat/completions", json=chat()).json()
                assert good["choices"][0]["message"]["content"] == "ABCD", where
        assert process.poll() is None
        assert http.get("/status").json()["queue"] == {"running": 0, "waiting": 0}
    log = locations.log_path("daemon").read_text()
    assert "Traceback" not in log
    assert "Exception" not in log


def check(wrong: Case, told: list[tuple[int, Any]], where: str) -> None:
    status, body = told[-1]
    if wrong.may_be_good and status == 200:
        return
    assert 400 <= status < 500, (told, where)
    error = body["error"]
    assert error["code"] == status, where
    assert error["type"].endswith("Problem"), where
    assert 10 < len(error["message"]) < 500, where


def exchange(wrong: Case) -> bytes:
    """Send it all, and read to the end."""
    received = bytearray()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(os.fspath(locations.socket_path()))
        # An early refusal may end the sending, and the reading.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(wrong.data)
            if wrong.cut:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
    return bytes(received)


def answers(data: bytes) -> list[tuple[int, Any]]:
    """Status and JSON of each answer; of a stream its last object."""
    found = []
    for part in re.split(rb"(?=HTTP/1\.1 \d{3} )", data):
        head, _, body = part.partition(b"\r\n\r\n")
        if not head:
            continue
        status = int(head.split()[1])
        if b"text/event-stream" in head:
            found.append((status, None))
            continue
        assert b"application/json" in head.lower(), part[:300]
        found.append((status, json.loads(body)))
    return found
