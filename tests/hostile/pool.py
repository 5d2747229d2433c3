"""Judging processes that work side by side, each with a world of its own."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.util import Finalize

from assistant.sandbox import Layer
from tests.hostile import corpus, shared
from tests.hostile.judging import NURSERY_VARIABLE, Finding, Judge
from tests.hostile.program import Hostile
from tests.hostile.world import SECRET_VARIABLE, new_secret

LAYERS = (Layer.BUBBLEWRAP, Layer.LANDLOCK)
# What a launcher that passes its environment on would hand to the programs inside.
_ENVIRONMENT = {"PYTHONPATH": "/nonexistent/hostile", "LD_LIBRARY_PATH": "/nonexistent/hostile"}


@functools.cache
def catalogue() -> dict[str, Hostile]:
    """Every program by its name."""
    return {program.name: program for program in (*corpus.PROGRAMS, *shared.programs())}


@contextlib.contextmanager
def judges(workers: int = 2, *, nursery: bool = False) -> Iterator[ProcessPoolExecutor]:
    """Processes for `judged`; they are started with a secret in their environment."""
    before = dict(os.environ)
    if nursery:
        os.environ[NURSERY_VARIABLE] = "1"
    os.environ.update({SECRET_VARIABLE: new_secret(), **_ENVIRONMENT})
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), not_interrupted)
    try:
        for _ in range(workers):
            pool.submit(int)  # each starts one, while none has got round to it
    finally:
        os.environ.clear()
        os.environ.update(before)
    with pool:
        yield pool


def not_interrupted() -> None:
    """Ctrl-C is for the process that was started by hand: this one ends what it is at."""
    # A handler, and not SIG_IGN, which everything that is started from here would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)


@functools.cache
def _judge() -> Judge:
    judge = Judge()
    Finalize(judge, judge.close, exitpriority=10)
    return judge


def judged(name: str, layer: Layer) -> Finding:
    """Judge one program; runs in one of the processes."""
    return _judge().judge(catalogue()[name], layer)


def seen_outside(name: str) -> str:
    """Run a tame program without a sandbox, in one of the processes: why it got nothing."""
    from tests.hostile import outside

    return outside.problem(catalogue()[name], _judge())


@contextlib.contextmanager
def busy(cores: int = 1) -> Iterator[None]:
    """Keep that many cores busy."""
    spinning = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
        for _ in range(cores)
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
