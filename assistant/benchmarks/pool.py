"""Worker processes and what they do: a queue side by side, or one job with nothing beside it."""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from assistant.benchmarks.worker import Job, receive, send

_ROOT = Path(__file__).parents[2]
_ATTEMPTS = 2
"""A job whose worker died is given to another one, once."""
_END_SECONDS = 15.0
_TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Died:
    """The worker ended before it answered; not the sample's verdict, whatever the cause."""

    reason: str


_spare: list[subprocess.Popen[bytes]] = []
"""Processes that were started ahead."""


def start_ahead(count: int) -> None:
    """Start processes for the first pool, so that they import while the caller reads its data.

    Those that are not needed end with this process, whose end they read.
    """
    with contextlib.suppress(OSError):  # whoever needs one is told why there is none
        while len(_spare) < count:
            _spare.append(_start())


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    job: Job | None = None
    attempts: int = 0


class Pool:
    """Worker processes; use it as a context manager.

    Args:
        size: how many at a time.
        tick: is called about twice a second while work goes on.
    """

    def __init__(self, size: int, tick: Callable[[], None] = lambda: None) -> None:
        self._size = size
        self._tick = tick
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def run(self, jobs: Iterable[Job], done: Callable[[Job, Any], None], size: int = 0) -> None:
        """Do all jobs; `done` is called here, with each job and its answer or `Died`.

        Args:
            jobs: are asked for one by one, when a worker is free.
            done: is told as answers come, in any order; it may raise to end the run.
            size: how many at a time; 1 for a job that nothing may run beside.
        """
        waiting = iter(jobs)
        with selectors.DefaultSelector() as selector:
            for number in range(size or self._size):
                if number == len(self._workers):
                    self._workers.append(_Worker(_spare.pop() if _spare else _start()))
                if not self._give(number, waiting, selector):
                    break
            while selector.get_map():
                for key, _ in selector.select(_TICK_SECONDS):
                    self._answered(key.data, waiting, selector, done)
                self._tick()

    def _give(self, number: int, waiting: Iterator[Job], selector: selectors.BaseSelector) -> bool:
        worker = self._workers[number]
        worker.job, worker.attempts = next(waiting, None), 0
        if worker.job is None:
            return False
        self._hand_over(number, selector)
        return True

    def _hand_over(self, number: int, selector: selectors.BaseSelector) -> None:
        worker = self._workers[number]
        worker.attempts += 1
        selector.register(_out(worker), selectors.EVENT_READ, number)
        # A worker that is gone is noticed when its answer is read.
        with contextlib.suppress(BrokenPipeError):
            send(cast(BinaryIO, worker.process.stdin), worker.job)

    def _answered(
        self,
        number: int,
        waiting: Iterator[Job],
        selector: selectors.BaseSelector,
        done: Callable[[Job, Any], None],
    ) -> None:
        worker = self._workers[number]
        job = worker.job
        assert job is not None
        selector.unregister(_out(worker))
        answer: Any
        try:
            answer = receive(_out(worker))
        except EOFError:
            status = _end(worker.process)
            self._workers[number] = _Worker(_start(), job, worker.attempts)
            if worker.attempts < _ATTEMPTS:
                self._hand_over(number, selector)
                return
            answer = Died(f"the judging process ended with status {status}, {_ATTEMPTS} times")
        self._workers[number].job = None
        done(job, answer)
        self._give(number, waiting, selector)

    def close(self) -> None:
        """End all workers, and what runs in their sandboxes."""
        for worker in self._workers:
            _close_input(worker.process)
        for worker in self._workers:
            _end(worker.process)
        self._workers.clear()


def _out(worker: _Worker) -> Any:
    assert worker.process.stdout is not None
    return worker.process.stdout


def _start() -> subprocess.Popen[bytes]:
    # Nothing is imported from the folder that the user happens to be in, and the module is not
    # `__main__`, which pickles could not name.
    code = "import sys; sys.path.append(sys.argv[1]); from assistant.benchmarks import worker; "
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code + "sys.exit(worker.main())", str(_ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _close_input(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> int:
    """Wait until a process is gone; its status."""
    _close_input(process)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return process.returncode
