"""A command, and what it and all that it starts use meanwhile.

Linux only: memory comes from /proc. A child's figures are added to its parent's as long as both
live; what one process and its fork share is counted twice, which is never too little.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_EVERY = 0.02
_LOOK_EVERY = 0.2
"""Seconds between two looks for new children: all processes have to be asked."""
_BLOCK = 512
"""Bytes, of the kernel's counts in rusage, whatever the disk has."""
_PROC = Path("/proc")


class Failed(Exception):
    """A command ended with another status than 0; the message has the end of what it said."""


@dataclass
class Process:
    """One process of a command.

    Attributes:
        command: its command line.
        started: when it was first seen, seconds after the command's start.
        ended: when it was last seen.
        anonymous: most bytes.
    """

    command: str
    started: float
    ended: float
    anonymous: int = 0

    @property
    def seconds(self) -> float:
        """How long it was seen."""
        return self.ended - self.started


@dataclass(frozen=True)
class Usage:
    """What a command used.

    Attributes:
        seconds: from start to end.
        busy: processor seconds, of all cores together.
        anonymous: most bytes of anonymous memory at one time, swapped ones too.
        resident: most bytes of any memory at one time.
        read: bytes from the disk.
        written: bytes to the disk.
        processes: all that were seen, the command's own first.
    """

    seconds: float
    busy: float
    anonymous: int
    resident: int
    read: int
    written: int
    processes: tuple[Process, ...]


def measured(
    command: Sequence[str | Path], log: Path, folder: Path, environment: Mapping[str, str]
) -> Usage:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        log: what it says goes there.
        folder: that it runs in.
        environment: added to this process's.

    Raises:
        Failed: it did not end well.
    """
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output,
            stderr=output, cwd=folder, env={**os.environ, **environment}, start_new_session=True,
        )  # fmt: skip
        tree = _Tree(process.pid, started)
        try:
            while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                tree.look()
                time.sleep(_EVERY)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        seconds = time.perf_counter() - started
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(encoding="utf-8", errors="replace")[-3000:]
        shown = " ".join(str(part) for part in command)
        raise Failed(f"{shown} ended with {process.returncode}:\n{said}\n(all of it: {log})")
    return Usage(
        seconds, used.ru_utime + used.ru_stime, tree.anonymous, tree.resident,
        used.ru_inblock * _BLOCK, used.ru_oublock * _BLOCK, tuple(tree.seen.values()),
    )  # fmt: skip


@dataclass
class _Tree:
    """A process and its descendants, and their largest sums."""

    root: int
    started: float
    seen: dict[int, Process] = field(default_factory=dict)
    anonymous: int = 0
    resident: int = 0
    alive: list[int] = field(default_factory=list)
    looked: float = float("-inf")

    def look(self) -> None:
        """Take a sample."""
        now = time.perf_counter() - self.started
        if now - self.looked >= _LOOK_EVERY:
            self.alive, self.looked = _descendants(self.root), now
        anonymous = resident = 0
        for pid in self.alive:
            if (found := _memory(pid)) is None:
                continue
            if pid not in self.seen:
                self.seen[pid] = Process("", now, now)
            one = self.seen[pid]
            # A child has its parent's command line until it has its own.
            if not one.command or self.looked == now:
                one.command = _command(pid) or one.command
            one.ended, one.anonymous = now, max(one.anonymous, found[0])
            anonymous, resident = anonymous + found[0], resident + found[1]
        self.anonymous = max(self.anonymous, anonymous)
        self.resident = max(self.resident, resident)


def _memory(pid: int) -> tuple[int, int] | None:
    """Anonymous and all resident bytes of a process; None when it has ended."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    kilobytes = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name in ("RssAnon", "VmSwap", "VmRSS"):
            kilobytes[name] = int(value.split()[0])
    if "RssAnon" not in kilobytes:
        return None
    anonymous = kilobytes["RssAnon"] + kilobytes.get("VmSwap", 0)
    return 1024 * anonymous, 1024 * kilobytes["VmRSS"]


def _command(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def _descendants(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            # The name, in brackets, may hold anything.
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left.extend(children.get(pid, ()))
    return found
