"""One sandboxed process, as its users see it.

The parent never trusts what comes: every wait has a limit, every buffer has a cap, and the end
of the process is waited for, so that nothing of it is left when the block is left.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from assistant.sandbox import setup, usage
from assistant.sandbox.channel import Channel
from assistant.sandbox.endings import Ended, Ending
from assistant.sandbox.layers import Layer, SandboxUnavailable, choose, explain, forget
from assistant.sandbox.limits import Limits

if TYPE_CHECKING:
    from assistant.sandbox.nursery import Nursery
    from assistant.sandbox.project import Project, Shown

__all__ = ["Ended", "Ending", "Sandbox"]

AT_ONCE_BYTES = 4096
"""Of frames, with four bytes for each: what an empty pipe takes at once, however short of memory
for pipes the user is."""
_START_S = 30.0
"""How long the start may take: some ten milliseconds, and more where others wait, too. It is no
part of the program's time, and what goes wrong in it is never the program's fault."""
_SHORTEST_LOOK_S = 0.01
_MOST_DELAY = 5
"""Times its wall-clock time: how long a program may wait for a processor besides."""
_WORD_BYTES = 1000
"""The longest first word, and the longest complaint of a launcher that is told to the user."""


class Sandbox:
    """A fresh process that runs `program` in isolation; use it as a context manager.

    It belongs to the thread that made it: the end of that thread ends it.

    Args:
        program: a file that is run inside, as `__main__`, with `receive` and `send` in scope.
        limits: of the whole process.
        layer: a certain one instead of the best.
        stdin: all of its standard input.
        stop: set from another thread, it ends every wait within a tenth of a second.
        project: a folder that it may read, secrets masked, and with which Python.
        proven: take `layer` as it is, without asking whether it works here.
        nursery: where the process comes from, if it can, instead of starting.

    Raises:
        SandboxUnavailable: there is no such layer here, or nothing can be started.
        UsageProblem: the project is no folder, or more than a project.
    """

    def __init__(
        self,
        program: Path,
        limits: Limits | None = None,
        *,
        layer: Layer | None = None,
        stdin: bytes = b"",
        stop: threading.Event | None = None,
        project: Project | None = None,
        proven: bool = False,
        nursery: Nursery | None = None,
    ) -> None:
        self.layer = layer if proven and layer else choose(layer)
        self.limits = limits or Limits()
        self._stop = stop or threading.Event()
        shown = _look_through(project) if project else None
        born = None
        if nursery is not None and self.layer is Layer.BUBBLEWRAP and shown is None:
            born = nursery.born(self.limits, stdin)
        self._process = born or setup.started(self.layer, self.limits, stdin, shown)
        self._channel = Channel(self._process, self.limits.output_kb << 10)
        self._ready = self._closed = False
        self._deadline = time.monotonic() + _START_S
        try:
            first = setup.message(self.layer, self.limits, program, shown, born=born is not None)
            self.send(first)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def stdout(self) -> bytes:
        """What it has printed so far."""
        return self._channel.stdout

    @property
    def stderr(self) -> bytes:
        """What it has printed to standard error so far."""
        return self._channel.stderr

    def send(self, *payloads: bytes) -> None:
        """Send one frame, or several at once.

        Several have to fit into the smallest pipe (`AT_ONCE_BYTES`): while they are written,
        nothing is read, and a process that has to wait until it can answer would wait for ever.

        Raises:
            Ended: the process is gone, oversteps a limit, or was stopped.
            SandboxUnavailable: it did not start.
        """
        try:
            rest = self._channel.send(*payloads)
            while rest:
                self._look(time.monotonic(), self._deadline)
                rest = self._channel.send_more(rest, usage.LOOK_S)
        except Ended as ended:
            raise self._reason(ended) from None

    def receive(
        self,
        cpu_s: float | None = None,
        wall_s: float | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        """Wait for one frame.

        Args:
            cpu_s: processor time that this wait may cost the process.
            wall_s: how long this wait may last.
            max_bytes: the longest frame; by default the limit's.

        Raises:
            Ended: the process is gone, oversteps a limit, or was stopped.
            SandboxUnavailable: it did not start.
        """
        if not self._ready:
            self._await_start()
        most = self.limits.message_kb << 10 if max_bytes is None else max_bytes
        try:
            return self._await_frame(most, cpu_s, wall_s)
        except Ended as ended:
            raise self._reason(ended) from None

    def _await_frame(self, most: int, cpu_s: float | None, wall_s: float | None) -> bytes:
        channel, clock = self._channel, time.monotonic
        frame = channel.frame(most)
        if frame is not None:
            return frame
        now = clock()
        deadline = self._deadline if wall_s is None else min(self._deadline, now + wall_s)
        began, used = now, usage.cpu_s(self._process) if cpu_s is not None else 0.0
        look = now + (usage.LOOK_S if cpu_s is None else _pause(cpu_s))
        if now >= deadline:  # on borrowed time it is looked at for each frame
            look = now
        while True:
            channel.wait((min(look, deadline) if now < deadline else look) - now)
            frame = channel.frame(most)
            if frame is not None:
                return frame
            now = clock()
            if now >= look or now >= deadline or self._stop.is_set():
                self._look(now, deadline)
                look = now + usage.LOOK_S
                if cpu_s is not None:
                    took = usage.cpu_s(self._process) - used
                    if took >= cpu_s:
                        told = "used its processor time for one answer"
                        raise Ended(Ending.CPU, told, share=took / max(now - began, took))
                    look = now + _pause(cpu_s - took)

    def _look(self, now: float, deadline: float) -> None:
        """Compare what is used with what may be used.

        Raises:
            Ended: it is too much.
        """
        if self._stop.is_set():
            raise Ended(Ending.STOPPED, "the check was cancelled")
        used, most = usage.cpu_s(self._process), self.limits.cpu_s
        if self._ready and used >= most:
            raise Ended(Ending.CPU, f"used {most:g} s of processor time")
        if now >= deadline and now - deadline >= self._delayed():
            raise Ended(Ending.WALL, "not finished in its time")
        if self._ready:
            usage.check(self._process, self.limits)

    def _delayed(self) -> float:
        """How much of its time others took, in seconds: a busy machine is not the program's fault.

        What sleeps is ended in its time all the same, and what runs by its processor time.
        """
        if not self._ready:
            return 0.0
        return min(usage.waited_s(self._process), _MOST_DELAY * self.limits.wall_s)

    def _await_start(self) -> None:
        """Wait until the process says that it has given up what it should."""
        try:
            word = self._await_frame(_WORD_BYTES, None, None)
        except Ended as ended:
            raise self._reason(ended) from None
        self._take_word(word)

    def _take_word(self, word: bytes) -> None:
        if word != b"ready":
            raise self._unavailable(word.decode("utf-8", "replace"))
        self._process.hold()
        self._ready = True
        self._deadline = time.monotonic() + self.limits.wall_s

    def _reason(self, ended: Ended) -> Exception:
        """What an ending means: before the program ran, it is no ending of the program's."""
        if not self._ready and ended.ending is not Ending.STOPPED:
            # Its word may be there already, and what ended it came in the same moment.
            with contextlib.suppress(Ended):
                self._channel.wait(0.0)
            with contextlib.suppress(Ended):
                if (word := self._channel.frame(_WORD_BYTES)) is not None:
                    self._take_word(word)
        if not self._ready and ended.ending is not Ending.STOPPED:
            said = self.stderr.decode("utf-8", "replace").strip()
            return self._unavailable(said[:_WORD_BYTES] or ended.detail)
        if self._died_of_its_limit(ended.status):
            return Ended(Ending.CPU, f"used {self.limits.cpu_s:g} s of processor time")
        return ended

    def _died_of_its_limit(self, status: int | None) -> bool:
        """The kernel ends what we did not look at: first by a signal of its own, then for good."""
        ran = time.monotonic() - (self._deadline - self.limits.wall_s)
        return status == -signal.SIGXCPU or (status == -signal.SIGKILL and ran >= self.limits.cpu_s)

    def _unavailable(self, said: str) -> SandboxUnavailable:
        forget(self.layer)
        return SandboxUnavailable(f"{self.layer.value}: {explain(self.layer, said)}")

    def close(self) -> None:
        """Kill what is left and wait until it is gone.

        Raises:
            SandboxUnavailable: something could not be ended.
        """
        if not self._closed:
            self._closed = True
            self._channel.close()
            self._process.end()


def _pause(left_s: float) -> float:
    """How long not to look at a process that has so much processor time left."""
    return min(usage.LOOK_S, max(_SHORTEST_LOOK_S, left_s))


def _look_through(project: Project) -> Shown:
    from assistant.sandbox.project import shown

    return shown(project)
