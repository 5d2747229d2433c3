"""Frames on stdin and stdout: a `Content-Length` header, an empty line, that many bytes of JSON.

A thread of its own reads, so that a busy event loop or thread pool never keeps a cancel from being
read. File descriptor 1 belongs to the protocol alone: `claim_stdout` points everything else that
would print at stderr.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

logger = logging.getLogger(__name__)

LONGEST_HEADER = 8192
LARGEST_MESSAGE = 256 << 20


class Receiver(Protocol):
    """What takes the messages of a connection."""

    def receive(self, body: bytes) -> None:
        """Handle one message; raises nothing."""

    def hung_up(self) -> None:
        """The other side has closed, or what it sends can not be framed."""


def frames(stream: BinaryIO) -> Iterator[bytes]:
    """The bodies of a stream of frames, until it ends or can not be framed any more.

    Header lines that are not understood are skipped, as HTTP does.
    """
    length: int | None = None
    while line := stream.readline(LONGEST_HEADER):
        if line.strip():
            length = _content_length(line, length)
        elif length is not None:
            if length > LARGEST_MESSAGE:
                logger.error("a message of %d bytes was announced; giving up", length)
                return
            body = stream.read(length)
            if len(body) < length:
                return
            yield body
            length = None


def _content_length(line: bytes, before: int | None) -> int | None:
    name, _, value = line.partition(b":")
    if name.strip().lower() != b"content-length":
        return before
    value = value.strip()
    if value.isdigit():
        return int(value)
    logger.warning("a content length that is no number")
    return before


def read_in_thread(stream: BinaryIO, receiver: Receiver) -> threading.Thread:
    """Hand each message of `stream` to `receiver`, in the running event loop."""
    loop = asyncio.get_running_loop()

    def call(function: Callable[..., None], *arguments: bytes) -> bool:
        try:
            loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: the server has ended
            return False
        return True

    def read() -> None:
        try:
            for body in frames(stream):
                if not call(receiver.receive, body):
                    return
        except (OSError, ValueError):
            logger.warning("reading from the editor failed", exc_info=True)
        call(receiver.hung_up)

    thread = threading.Thread(target=read, name="lsp-reader", daemon=True)
    thread.start()
    return thread


class Writer:
    """Writes whole frames; an editor that is gone ends the session instead of raising."""

    def __init__(self, stream: BinaryIO, on_broken: Callable[[], None]) -> None:
        self._stream = stream
        self._on_broken = on_broken
        self._broken = False

    def write(self, data: bytes) -> None:
        """Write one frame."""
        if self._broken:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self._broken = True
            self._on_broken()

    def close(self) -> None:
        """Nothing to do: the descriptor ends with the process."""


def claim_stdout() -> BinaryIO:
    """A private stream to the real stdout; from now on `print` and file descriptor 1 are stderr."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(private, "wb")
