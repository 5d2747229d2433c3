"""Ending the daemon, also one that is starting, and one that does not answer.

While it ends, another program may start the next one: that one has the lock then, and it stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time

from assistant import locations
from assistant.client.connection import running
from assistant.daemon.lifecycle import take_lock
from assistant.errors import DaemonProblem

POLITE_SECONDS = 15.0
"""How long a daemon may take to end after it was asked to."""
_FORCE_SECONDS = 5.0
_TICK = 0.05


async def stop() -> int | None:
    """End the daemon and wait until it is gone.

    Returns:
        Its process id, or None when none ran.

    Raises:
        DaemonProblem: it can not be ended.
    """
    if _is_gone():
        return None
    pid, ended = await _asked_to_end()
    if ended:
        return pid
    for number in (signal.SIGTERM, signal.SIGKILL):
        # Whoever wrote the file holds the lock, and the lock is held: the number is not stale.
        if pid is not None and pid == _pid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if pid is not None and await _wait(pid, _FORCE_SECONDS):
            _forgive(pid)
            return pid
    raise DaemonProblem(
        f"The engine daemon (process {pid or 'unknown'}) can not be ended.",
        hint=f"Find who holds {locations.lock_path()}, and end that process.",
    )


async def _asked_to_end() -> tuple[int | None, bool]:
    """Ask as soon as it listens, and wait; its process, and whether it is gone."""
    pid, asked, end = _pid(), False, time.monotonic() + POLITE_SECONDS
    while not _is_gone(pid):
        if time.monotonic() > end:
            return pid, False
        try:
            asked = asked or await _ask()
        except DaemonProblem:  # it hangs
            return pid, False
        pid = _pid() if pid is None else pid
        await asyncio.sleep(_TICK)
    return pid, True


async def _ask() -> bool:
    """False when nobody listens (yet)."""
    connection = await running()
    if connection is None:
        return False
    async with connection:
        return await connection.shutdown()


async def _wait(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not _is_gone(pid):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(_TICK)
    return True


def _is_gone(pid: int | None = None) -> bool:
    """Nobody holds the lock, or somebody else than process `pid`."""
    lock = take_lock()
    if lock is not None:
        os.close(lock)
        return True
    return pid is not None and (_pid() not in (None, pid) or not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the number is another user's by now
        return False
    return True


def _forgive(pid: int) -> None:
    """It was ended on purpose; the next start shall not take it for a crash."""
    lock = take_lock()
    if lock is None:  # that start was quicker
        return
    try:
        if _pid() == pid:
            locations.daemon_info_path().unlink(missing_ok=True)
    finally:
        os.close(lock)


def _pid() -> int | None:
    try:
        pid = json.loads(locations.daemon_info_path().read_text())["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # 0 and less would mean whole groups of processes.
    return pid if isinstance(pid, int) and 0 < pid < 1 << 31 else None
