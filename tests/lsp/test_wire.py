"""Frames in and out, and a stdout that belongs to the protocol."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp.wire import Writer, frames

ROOT = Path(__file__).resolve().parents[2]

STREAMS = {
    "two": (b"Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\n[1]", [b"{}", b"[1]"]),
    "another header": (b"X: y\r\nContent-Length: 2\r\nContent-Type: z\r\n\r\n{}", [b"{}"]),
    "other case and no carriage return": (b"content-length:2\n\n{}", [b"{}"]),
    "empty lines between": (b"\r\n\r\nContent-Length: 2\r\n\r\n{}\r\n", [b"{}"]),
    "bytes, not characters": ("Content-Length: 6\r\n\r\n{'é'}".encode(), ["{'é'}".encode()]),
    "nothing": (b"", []),
    "half a body": (b"Content-Length: 9\r\n\r\n{}", []),
    "half a header": (b"Content-Le", []),
    "not a number": (b"Content-Length: x\r\n\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
    "too large": (b"Content-Length: 999999999999\r\n\r\n{}", []),
    "an endless line": (b"x" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
}


@pytest.mark.parametrize(("stream", "bodies"), STREAMS.values(), ids=STREAMS)
def test_frames(stream: bytes, bodies: list[bytes]) -> None:
    assert list(frames(io.BytesIO(stream))) == bodies


def test_what_prints_goes_to_stderr() -> None:
    """A library that prints, and a program that one starts, must not break the protocol."""
    script = (
        "import os, subprocess\n"
        "from lsp.wire import claim_stdout\n"
        "stream = claim_stdout()\n"
        "print('printed', flush=True)\n"
        "os.write(1, b'written ')\n"
        "subprocess.run(['echo', 'echoed'])\n"
        "stream.write(b'frame')\n"
        "stream.flush()\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=True)

    assert done.stdout == b"frame"
    assert done.stderr == b"printed\nwritten echoed\n"


def test_an_editor_that_is_gone_is_noticed_once() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    noticed = []
    stream = os.fdopen(writing, "wb", buffering=0)
    writer = Writer(stream, on_broken=lambda: noticed.append(1))

    writer.write(b"one")
    writer.write(b"two")

    assert noticed == [1]
    stream.close()
