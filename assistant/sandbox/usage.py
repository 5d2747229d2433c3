"""What a sandboxed process uses, seen from outside, and the bounds that the kernel does not keep.

A limit on threads counts every process of the user outside a user namespace, and never binds
root; a tmpfs bounds bytes and not files; macOS bounds no memory. So the parent looks, ten times
a second while it waits. What the kernel can bound, it does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from assistant.sandbox.endings import Ended, Ending
from assistant.sandbox.limits import Limits

if TYPE_CHECKING:
    from assistant.sandbox.lifetime import Process
    from assistant.sandbox.nursery import Born

LOOK_S = 0.1
"""How often it is looked at."""
_MOST_FILES = 4096


def cpu_s(process: Process | Born) -> float:
    """Processor time of the process so far, all threads together, in seconds; 0 if unknown."""
    if process.pid is None or sys.platform != "linux":
        return 0.0
    try:
        # The clock of another process: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of the kernel.
        return time.clock_gettime((~process.pid << 3) | 2)
    except (OSError, ValueError):
        return 0.0


def waited_s(process: Process | Born) -> float:
    """How long a thread of it was ready to run and got no processor, in seconds; 0 if unknown.

    The second figure of `schedstat` (Documentation/scheduler/sched-stats of the kernel).
    """
    tasks, most = f"/proc/{process.pid}/task", 0
    try:
        for task in os.listdir(tasks):  # noqa: PTH208 (as text)
            with open(f"{tasks}/{task}/schedstat", encoding="ascii") as file:  # noqa: PTH123
                most = max(most, int(file.read().split()[1]))
    except (OSError, ValueError, IndexError):
        pass  # it has gone, or the kernel does not count
    return most / 1e9


def check(process: Process | Born, limits: Limits) -> None:
    """Look at what nothing else bounds.

    Raises:
        Ended: there is too much of it.
    """
    pid = process.pid
    if pid is None:
        return
    if sys.platform == "darwin":
        _check_memory(pid, limits)
        return
    try:
        # A folder has a link from itself, one from above and one from each folder in it.
        threads = os.stat(f"/proc/{pid}/task").st_nlink - 2  # noqa: PTH116 (ten times a second)
        if threads > limits.threads + 1:
            raise Ended(Ending.EXIT, f"ended: {threads} threads, more than {limits.threads}")
        try:
            folder = os.statvfs(f"/proc/{pid}/root/tmp")
        except FileNotFoundError:  # its first thread has ended, and others go on
            last = max(os.listdir(f"/proc/{pid}/task"), key=int)  # noqa: PTH208 (as above)
            folder = os.statvfs(f"/proc/{pid}/task/{last}/root/tmp")
    except OSError:
        return  # it has gone, and that will show
    files = folder.f_files - folder.f_ffree
    # Only in a root of its own is that folder the sandbox's.
    if process.has_own_root and files > _MOST_FILES:
        raise Ended(Ending.OUTPUT, f"made more than {_MOST_FILES} files")


def _check_memory(pid: int, limits: Limits) -> None:
    run = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True)
    text = run.stdout.strip()
    if text.isdigit() and int(text) >> 10 > limits.memory_mb:
        raise Ended(Ending.EXIT, f"ended: more than {limits.memory_mb} MiB of memory")
