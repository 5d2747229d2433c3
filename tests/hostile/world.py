"""What the hostile programs could reach if they got out: made by the test, watched on the host.

A secret file, listeners, a process and a folder. They are real: the same programs, run without a
sandbox, do reach them (`test_controls.py`), so that a refusal proves something.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from tests.hostile.program import Witness

SECRET_VARIABLE = "HOSTILE_SECRET"
FOLDER_VARIABLE = "HOSTILE_FOLDER"
# Where the programs of the shared corpus would leave something.
_PLACES = ("/tmp/pwned", "/tmp/b", "/tmp/f0", "/tmp/a.txt", "/usr/lib/x", "/etc/x")
# Where anything else would be left, by a name with the nonce of this world in it.
_FOLDERS = ("/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/usr/lib", str(Path(os.__file__).parent))
_END_S = 10.0
_IOPRIO_GET = {"x86_64": 252, "aarch64": 31}


def new_secret() -> str:
    """A text that is nowhere else; its form is what the hunting programs look for."""
    return f"hostile-secret-{secrets.token_hex(16)}"


def folder_outside() -> str | None:
    """Where the folder of a world is: not in /tmp, of which a sandbox may have its own."""
    given = os.environ.get(FOLDER_VARIABLE)
    return given or ("/var/tmp" if os.access("/var/tmp", os.W_OK) else None)


class World:
    """The witnesses of one judging process; a context manager that removes them."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.folder = Path(tempfile.mkdtemp(prefix="hostile-", dir=folder_outside()))
        self.secret_file = self.folder / "private" / "secret"
        self.secret_file.parent.mkdir()
        self.secret_file.write_text(secret, "ascii")
        self._inheritable = os.open(self.secret_file, os.O_RDONLY)
        os.set_inheritable(self._inheritable, True)
        self.nonce = secrets.token_hex(8)
        self.key = int(self.nonce[:7], 16) + 1
        self._listen()
        self.target = self.folder / "target"
        self._furnish()
        self.victim = _start_victim()
        self._victim_state = _state(self.victim.pid)
        self._places = _places(self.nonce)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        _stop(self.victim)
        for listener in self._listeners:
            listener.close()
        os.close(self._fifo)
        os.close(self._inheritable)
        shutil.rmtree(self.folder)

    def _listen(self) -> None:
        tcp = socket.create_server(("127.0.0.1", 0))
        self.port = tcp.getsockname()[1]
        self.abstract = f"hostile-{self.nonce}"
        wanted: list[tuple[int, int, Any]] = [
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.port)),
            (socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "socket")),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.abstract}"),
            (socket.AF_UNIX, socket.SOCK_DGRAM, f"\0{self.abstract}-d"),
            (socket.AF_UNIX, socket.SOCK_DGRAM, str(self.folder / "datagrams")),
        ]
        self._listeners = [tcp]
        for family, kind, address in wanted:
            listener = socket.socket(family, kind)
            listener.bind(address)
            if kind == socket.SOCK_STREAM:
                listener.listen(16)
            self._listeners.append(listener)
        for listener in self._listeners:
            listener.setblocking(False)
        os.mkfifo(self.folder / "fifo")
        self._fifo = os.open(self.folder / "fifo", os.O_RDONLY | os.O_NONBLOCK)

    def _furnish(self) -> None:
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        (self.target / "kept").write_text("what was here before", "ascii")
        self._target_state = _tree(self.target)

    def names(self) -> dict[str, Any]:
        """What the programs know of it: the global names that they use."""
        return {
            "SECRET_FILE": str(self.secret_file),
            "TARGET": str(self.target),
            "PORT": self.port,
            "SOCKET": str(self.folder / "socket"),
            "DATAGRAMS": str(self.folder / "datagrams"),
            "ABSTRACT": self.abstract,
            "FIFO": str(self.folder / "fifo"),
            "VICTIM": self.victim.pid,
            "JUDGE": os.getpid(),
            "NONCE": self.nonce,
            "KEY": self.key,
            "HOST": {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in _SPACES},
        }

    def changes(self) -> dict[Witness, str]:
        """What was touched since the last look; the world is whole again afterwards."""
        found = {}
        if heard := self._heard():
            found[Witness.CONTACT] = heard
        if (now := _state(self.victim.pid)) != self._victim_state:
            found[Witness.VICTIM] = f"the process was {self._victim_state}, now {now}"
            _stop(self.victim)
            self.victim = _start_victim()
        if (tree := _tree(self.target)) != self._target_state:
            found[Witness.FOLDER] = f"the folder was {self._target_state}, now {tree}"
            self._furnish()
        elif (places := _places(self.nonce)) != self._places:
            found[Witness.FOLDER] = f"files of the host: {places ^ self._places}"
            for path in map(Path, places - self._places):
                path.unlink(missing_ok=True)
        return found

    def _heard(self) -> str:
        for number, listener in enumerate(self._listeners):
            with contextlib.suppress(BlockingIOError):
                if listener.type == socket.SOCK_STREAM:
                    listener.accept()[0].close()
                else:
                    listener.recv(99)
                return f"listener {number} heard from it"
        with contextlib.suppress(BlockingIOError):
            if os.read(self._fifo, 99):
                return "the fifo has something in it"
        return ""


_SPACES = ("net", "pid", "ipc", "user", "mnt", "uts")


def _start_victim() -> subprocess.Popen[bytes]:
    """A process that waits, and ends with this one: it reads from a pipe that we hold."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
    )


def _stop(victim: subprocess.Popen[bytes]) -> None:
    victim.kill()
    victim.wait()
    assert victim.stdin is not None
    victim.stdin.close()


def _state(pid: int) -> tuple[Any, ...]:
    """All that a program could change of a process, without asking the process."""
    import ctypes
    import resource

    stat = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    # A running process is as good as a sleeping one; a stopped or dead one is not.
    ioprio = ctypes.CDLL(None).syscall(_IOPRIO_GET.get(platform.machine(), 252), 1, pid)
    return (
        "gone" if stat[0] in "TtZX" or _pending(pid) else "alive",
        os.getpriority(os.PRIO_PROCESS, pid),
        os.sched_getscheduler(pid),
        tuple(sorted(os.sched_getaffinity(pid))),
        resource.prlimit(pid, resource.RLIMIT_NOFILE),
        Path(f"/proc/{pid}/oom_score_adj").read_text("ascii").strip(),
        ioprio,
    )


def _pending(pid: int) -> bool:
    """Whether a signal is on its way to it; on a busy machine that takes a while."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    masks = [line.split()[1] for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(int(mask, 16) for mask in masks)


def _tree(folder: Path) -> tuple[Any, ...]:
    def one(path: Path) -> tuple[Any, ...]:
        seen = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        owner = (seen.st_uid, seen.st_gid)
        return (path.name, oct(seen.st_mode), owner, seen.st_mtime_ns, seen.st_nlink, content)

    return tuple(one(path) for path in sorted(folder.iterdir()))


def _places(nonce: str) -> frozenset[str]:
    found = [path for path in _PLACES if Path(path).exists()]
    for folder in _FOLDERS:
        with contextlib.suppress(OSError):
            found += [str(path) for path in Path(folder).iterdir() if nonce in path.name]
    return frozenset(found)


def descendants(root: int) -> dict[int, str]:
    """Every live process below `root`: its name and state. Orphans have to become its children."""
    _bury()
    parents: dict[int, tuple[int, str]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                name, _, rest = (path / "stat").read_text("ascii", "replace").rpartition(")")
                state, parent, *_ = rest.split()
                parents[int(path.name)] = (int(parent), f"{name.partition('(')[2]} ({state})")
    found: dict[int, str] = {}
    pending = [root]
    while pending:
        above = pending.pop()
        for pid, (parent, name) in parents.items():
            if parent == above and pid not in found:
                found[pid] = name
                pending.append(pid)
    return found


def _bury() -> None:
    """Wait for orphans that have died: they are ours because this process takes orphans in."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError, ChildProcessError):
                rest = (path / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
                if rest[0] == "Z" and int(rest[1]) == os.getpid():
                    os.waitpid(int(path.name), os.WNOHANG)


def end(pids: Iterable[int]) -> None:
    """Kill processes that were left behind, and wait until they are gone."""
    left = list(pids)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _END_S
    while left and time.monotonic() < until:
        _bury()
        left = [pid for pid in left if Path(f"/proc/{pid}").exists()]
        time.sleep(0.005 if left else 0)
