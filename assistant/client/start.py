"""Starting the daemon: any number of clients may want to at once, one does it.

The starter takes the daemon's lock and hands it over with the open file, so there is no moment
in which a second one could start.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import assistant
from assistant import locations
from assistant.client.types import Daemon
from assistant.daemon import crashes
from assistant.daemon.lifecycle import take_lock
from assistant.errors import StateProblem
from assistant.models.names import Chosen

# Kept so that a daemon that ends while its starter lives does not stay a zombie.
_started: list[subprocess.Popen[bytes]] = []


def start(target: Daemon, model: Chosen, model_name: str) -> subprocess.Popen[bytes] | None:
    """Start a daemon; None when another process holds the lock, so one runs or is starting.

    Raises:
        DaemonProblem: it died too often in a row.
        StateProblem: its folders can not be made or written.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    log = locations.log_path("daemon")
    locations.ensure_private_dir(log.parent)
    lock = take_lock()
    if lock is None:
        return None
    try:
        _note_death_and_room(lock)
        process = _spawn(_command(target, model, model_name, lock), lock, log)
    finally:
        # The child has its own copy, and with it the lock.
        os.close(lock)
    _started.append(process)
    return process


def _note_death_and_room(lock: int) -> None:
    """What the daemon could not tell us, as its log may be on the same full disk."""
    try:
        os.write(lock, b"?")
        os.ftruncate(lock, 0)
        crashes.note_previous_death()
    except OSError as error:
        raise StateProblem(
            f"Nothing can be written in {locations.runtime_dir()}: {error.strerror or error}.",
            hint="Make room or remove what is in the way there, or set ASSISTANT_HOME to another "
            "folder.",
        ) from error


def _command(target: Daemon, model: Chosen, model_name: str, lock: int) -> list[str]:
    command = [sys.executable, "-m", "assistant.daemon", "--lock-fd", str(lock)]
    command += ["--model-path", str(model.path), "--model-name", model_name]
    if model.adapter is not None:
        command += ["--adapter-path", str(model.adapter)]
    command += ["--idle-seconds", str(target.idle_minutes * 60)]
    command += ["--started-by", f"{Path(sys.argv[0]).name or 'python'} (pid {os.getpid()})"]
    if (inline := target.inline()) is not None:
        command += ["--inline-path", str(inline.path), "--inline-name", target.inline_model]
        if inline.adapter is not None:
            command += ["--inline-adapter-path", str(inline.adapter)]
    if target.memory_gb:
        command += ["--memory-gb", str(target.memory_gb)]
    if target.context_length is not None:
        command += ["--context-length", str(target.context_length)]
    if target.threads is not None:
        command += ["--threads", str(target.threads)]
    if target.loopback is not None:
        command += ["--loopback", str(target.loopback)]
    return command


def _spawn(command: list[str], lock: int, log: Path) -> subprocess.Popen[bytes]:
    # From a source folder the package is found through the working directory; the daemon has "/".
    root = str(Path(assistant.__file__).resolve().parent.parent)
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=os.environ | {"PYTHONPATH": path},
                start_new_session=True,
                pass_fds=(lock,),
            )
    except OSError as error:
        raise StateProblem(
            f"The engine daemon can not be started: {error.strerror or error} "
            f"({error.filename or log})."
        ) from error


def last_words(lines: int = 3) -> str:
    """The end of the daemon's log."""
    try:
        text = locations.log_path("daemon").read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])
