"""`assistant stop`: end the engine daemon."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import time

from assistant.cli import terminal
from assistant.errors import DaemonProblem

_PATIENCE_SECONDS = 15.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    subparsers.add_parser(
        "stop",
        help="end the engine; answers in work are cancelled",
        description="End the engine and give its memory back; answers in work are cancelled.",
        allow_abbrev=False,
    )


def run(args: argparse.Namespace) -> int:
    """Ask it to end, wait until it has, and end it by force when it does not listen."""
    pid = _pid()
    try:
        asked = asyncio.run(_ask())
    except DaemonProblem:
        # It accepts connections and does not answer: it hangs.
        if pid is None:
            raise
        asked = False
        terminal.say("The engine does not answer; it is ended by force.")
        os.kill(pid, signal.SIGKILL)
    else:
        if not asked:
            terminal.say("The engine does not run.")
            return 0
    _wait(pid)
    terminal.say("The engine has ended.")
    return 0


def _pid() -> int | None:
    """The daemon's process, which is the one that holds the lock."""
    from assistant import locations

    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads(locations.daemon_info_path().read_text())["pid"])
    return None


async def _ask() -> bool:
    from assistant.client.connection import running

    connection = await running()
    if connection is None:
        return False
    try:
        await connection.shutdown()
    finally:
        await connection.aclose()
    return True


def _wait(pid: int | None) -> None:
    """Wait until the lock is free: only then the process is gone, whatever became of its pid."""
    from assistant.daemon.lifecycle import take_lock

    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (lock := take_lock()) is None:
        if time.monotonic() > deadline:
            raise DaemonProblem(
                f"The engine (pid {pid or 'unknown'}) has not ended in {_PATIENCE_SECONDS:.0f} s.",
                hint=f"End it by force: kill -9 {pid}" if pid else "",
            )
        time.sleep(0.05)
    os.close(lock)
