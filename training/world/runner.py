"""Reads jobs as JSON lines and writes one verdict a line. Run as a script, without the package.

Each job runs in a forked child with limits on time, memory and file size, and with its output
closed, so that one bad answer costs that answer only.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

MEMORY_BYTES = 1 << 30


def _child(job: dict[str, Any], pipe: int) -> None:
    seconds = int(job["timeout"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    space: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(job["code"], "<answer>", "exec"), space)
        wanted, given = job["alias"]
        if wanted and wanted not in space and given in space:
            space[wanted] = space[given]
        exec(compile(job["setup"], "<setup>", "exec"), space)
        for test in job["tests"]:
            exec(compile(test, "<test>", "exec"), space)
        message = "passed"
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"[:300]
    os.write(pipe, message.encode("utf-8", "replace"))
    os._exit(0)


def judge(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a child and say how it went."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(job, writing)
    os.close(writing)
    end = time.monotonic() + job["timeout"]
    ready, _, _ = select.select([reading], [], [], max(0.0, end - time.monotonic()))
    message = os.read(reading, 4096).decode("utf-8", "replace") if ready else "timeout"
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    passed = message == "passed"
    return {"passed": passed, "reason": "" if passed else message or "crash"}


def main() -> None:
    """Judge the jobs on standard input."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(judge(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
