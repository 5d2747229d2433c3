"""Frames to and from the process, and what it prints: read as it comes, kept within bounds."""

from __future__ import annotations

import contextlib
import os
import select
from typing import TYPE_CHECKING

from assistant.sandbox.endings import Ended, Ending

if TYPE_CHECKING:
    from assistant.sandbox.lifetime import Process
    from assistant.sandbox.nursery import Born

_CHUNK = 1 << 16  # all that a pipe holds
_HEADER = 4
_LEAVE_S = 0.5


class Channel:
    """The open ends of one process. Nothing that comes from it is believed.

    A frame is its length as four bytes, big end first, and that many bytes.
    """

    def __init__(self, process: Process | Born, output_bytes: int) -> None:
        self._process, self._most_output = process, output_bytes
        self._into, self._out = process.into, process.out
        self._inbox = bytearray()
        self._printed = {process.stdout: bytearray(), process.stderr: bytearray()}
        self._speaking = {process.stdout, process.stderr}
        self._poll = select.poll()
        for fd in (self._out, *self._speaking):
            self._poll.register(fd, select.POLLIN)

    @property
    def stdout(self) -> bytes:
        """What it has printed so far, at most what the limit allows."""
        return self._drained(self._process.stdout)

    @property
    def stderr(self) -> bytes:
        """The same of standard error."""
        return self._drained(self._process.stderr)

    def _drained(self, fd: int) -> bytes:
        with contextlib.suppress(BlockingIOError):
            while fd in self._speaking and len(self._printed[fd]) <= self._most_output:
                self._read_printed(fd)
        return bytes(self._printed[fd][: self._most_output])

    def send(self, *payloads: bytes) -> memoryview:
        """Write frames as far as they go at once; what is left of them is returned.

        Raises:
            Ended: the process is gone.
        """
        parts = [part for one in payloads for part in (len(one).to_bytes(_HEADER, "big"), one)]
        try:
            written = os.writev(self._into, parts)
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            raise self.gone() from None
        if written == sum(map(len, parts)):
            return memoryview(b"")
        return memoryview(b"".join(parts))[written:]

    def send_more(self, rest: memoryview, wait_s: float) -> memoryview:
        """Wait until more of a frame can be written, and write it; what is left is returned.

        Answers are left unread meanwhile: nobody has been asked yet.

        Raises:
            Ended: the process is gone, or prints too much.
        """
        poll = select.poll()
        poll.register(self._into, select.POLLOUT)
        for fd in self._speaking:
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(max(0.0, wait_s * 1000)):
            if fd == self._into:
                try:
                    rest = rest[os.write(fd, rest[:_CHUNK]) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise self.gone() from None
            else:
                self._handle_printed(fd)
        return rest

    def wait(self, wait_s: float) -> None:
        """Read what is there, after waiting for it for at most `wait_s` seconds.

        Raises:
            Ended: the process is gone, or prints too much.
        """
        gone, too_much = False, None
        for fd, _ in self._poll.poll(max(0.0, wait_s * 1000)):
            if fd != self._out:
                try:
                    self._handle_printed(fd)
                except Ended as ended:
                    too_much = ended  # what came by the channel is read all the same
            else:
                try:
                    chunk = os.read(fd, _CHUNK)
                except BlockingIOError:  # it may open our end of its pipes, and read there, too
                    continue
                self._inbox += chunk
                gone |= not chunk
        if too_much:
            raise too_much
        if gone:
            self._take_last_words()
            raise self.gone()

    def frame(self, most: int) -> bytes | None:
        """The next frame, or None while it is not all there.

        Raises:
            Ended: it says that it is longer than `most` bytes.
        """
        inbox = self._inbox
        if len(inbox) < _HEADER:
            return None
        length = int.from_bytes(inbox[:_HEADER], "big")
        if length > most:
            raise Ended(Ending.MESSAGE, f"a message of {length} bytes, more than {most}")
        end = _HEADER + length
        if len(inbox) < end:
            return None
        frame = bytes(inbox[_HEADER:end])
        del inbox[:end]
        return frame

    def gone(self) -> Ended:
        """The reason when the channel is closed: what became of the process."""
        status = self._process.status(_LEAVE_S)
        if status is None:
            return Ended(Ending.EXIT, "the process closed its channel")
        return Ended(Ending.EXIT, f"the process ended with status {status}", status)

    def close(self) -> None:
        """Take what was printed last; the descriptors are the process' and not touched again."""
        for fd in self._printed:
            self._drained(fd)
        self._speaking.clear()

    def _take_last_words(self) -> None:
        for fd in list(self._speaking):
            with contextlib.suppress(BlockingIOError):
                while fd in self._speaking and _ready(fd):
                    self._handle_printed(fd)

    def _handle_printed(self, fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._read_printed(fd)
        if sum(map(len, self._printed.values())) > self._most_output:
            raise Ended(Ending.OUTPUT, f"printed more than {self._most_output >> 10} KiB")

    def _read_printed(self, fd: int) -> None:
        chunk = os.read(fd, _CHUNK)
        self._printed[fd] += chunk
        if not chunk:
            self._speaking.discard(fd)
            self._poll.unregister(fd)


def _ready(fd: int) -> bool:
    """Whether there is something to read at this moment."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
