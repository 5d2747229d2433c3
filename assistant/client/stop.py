"""Ending the daemon, also one that does not answer."""

from __future__ import annotations

import asyncio
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


async def stop() -> int | None:
    """End the daemon and wait until it is gone.

    Returns:
        Its process id, or None when none ran.

    Raises:
        DaemonProblem: it can not be ended.
    """
    if _is_gone():
        return None
    pid = _pid()
    if await _asked() and await _wait(POLITE_SECONDS):
        return pid
    if pid is None and await _wait(_FORCE_SECONDS):
        return None
    # Whoever wrote the file holds the lock, and the lock is held: the number is not stale.
    for number in (signal.SIGTERM, signal.SIGKILL):
        if pid is None:
            break
        os.kill(pid, number)
        if await _wait(_FORCE_SECONDS):
            # It was ended on purpose; the next start shall not take it for a crash.
            locations.daemon_info_path().unlink(missing_ok=True)
            return pid
    raise DaemonProblem(
        f"The engine daemon (process {pid or 'unknown'}) can not be ended.",
        hint=f"Find who holds {locations.lock_path()}, and end that process.",
    )


async def _asked() -> bool:
    try:
        connection = await running()
        if connection is None:
            return False
        async with connection:
            return await connection.shutdown()
    except DaemonProblem:
        return False


async def _wait(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not _is_gone():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.05)
    return True


def _is_gone() -> bool:
    lock = take_lock()
    if lock is None:
        return False
    os.close(lock)
    return True


def _pid() -> int | None:
    try:
        return int(json.loads(locations.daemon_info_path().read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
