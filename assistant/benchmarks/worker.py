"""A judging process: jobs come in on standard input, answers leave on standard output.

Processes and not threads, so that neither the memory nor the interpreter lock of one is shared
with the others: what a sample answers is read here. The frames are pickles; both ends are ours.
When the other end goes away, however it does, the sandbox of this one is ended, and it ends.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from assistant.benchmarks import judging, truth
from assistant.benchmarks.problems import Problem
from assistant.errors import AssistantError
from assistant.sandbox.nursery import Nursery

_LAST_SECONDS = 5.0
"""What an orphan has to end its sandbox."""


@dataclass(frozen=True, slots=True)
class MakeTruth:
    """Compute the ground truth of one task."""

    problem: Problem
    target: Path


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that could not be done."""

    reason: str
    sandbox: bool = False
    """There is none on this machine."""


Job = judging.Work | MakeTruth


def send(file: BinaryIO, message: Any) -> None:
    """Write one frame."""
    body = pickle.dumps(message)
    file.write(len(body).to_bytes(8, "big") + body)
    file.flush()


def receive(file: BinaryIO) -> Any:
    """Read one frame.

    Raises:
        EOFError: the other end is gone.
    """
    head = file.read(8)
    body = file.read(int.from_bytes(head, "big")) if len(head) == 8 else b""
    if not body or len(body) < int.from_bytes(head, "big"):
        raise EOFError
    return pickle.loads(body)


def do(job: Job, stop: threading.Event, nursery: Nursery | None = None) -> Any:
    """The answer to one job; one that went wrong with the nursery is given without it."""
    if isinstance(job, judging.Work):
        broken = nursery.broken if nursery is not None else 0
        verdict = judging.judge(job, stop, nursery)
        if nursery is None or nursery.broken == broken or stop.is_set():
            return verdict
        return judging.judge(job, stop)
    from assistant.checks.program import Stopped
    from assistant.events import Outcome

    try:
        truth.compute(job.problem, job.target, stop)
    except Stopped as stopped:
        return Failure(stopped.detail, stopped.outcome is Outcome.SANDBOX_UNAVAILABLE)
    except (AssistantError, OSError) as error:
        return Failure(str(error))
    return None


def main() -> int:
    """Work until the other end closes."""
    # Ctrl-C goes to the whole group; what it means is decided by the process that asked.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What anything here prints by mistake must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    stop, jobs = threading.Event(), queue.SimpleQueue[Any]()
    threading.Thread(target=_read, args=(jobs, stop), daemon=True).start()
    with Nursery() as nursery:
        while (job := jobs.get()) is not None:
            try:
                send(answers, do(job, stop, nursery))
            except BrokenPipeError:
                break
    return 0


def _read(jobs: queue.SimpleQueue[Any], stop: threading.Event) -> None:
    try:
        while True:
            jobs.put(receive(sys.stdin.buffer))
    except EOFError:
        stop.set()
        jobs.put(None)
        # A sandbox that does not end does not keep us.
        timer = threading.Timer(_LAST_SECONDS, os._exit, (1,))
        timer.daemon = True
        timer.start()
