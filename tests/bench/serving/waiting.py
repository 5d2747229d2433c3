"""What the threads of llama.cpp do while they wait for each other: sleep, or spin, and how long.

GNU OpenMP decides it by OMP_WAIT_POLICY and GOMP_SPINCOUNT. On an idle machine spinning saves the
wake-up at each of the hundreds of nodes of a step; where something else wants a core, the one who
spins takes it from the one who is waited for.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.serving.models import EMBEDDED, Model
from tests.bench.serving.report import Series
from tests.bench.serving.setting import Setting, pause

NAME = "waiting"
POLICIES: dict[str, dict[str, str]] = {
    "unset": {},
    "PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "spin 1000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10000": {"GOMP_SPINCOUNT": "10000"},
    "spin 100000": {"GOMP_SPINCOUNT": "100000"},
}
_PROMPT, _TOKENS = 256, 64
_BUSY = "while True: pass"


def run(setting: Setting) -> None:
    """llama-bench under each policy: alone, and beside a process that keeps one core busy."""
    for model in setting.each("starter", "1b"):
        path = EMBEDDED if model.name == "starter" else model.path
        for threads in (1, 2) if model.name == "starter" else (setting.models.threads,):
            for busy in (False, True):
                _measure(setting, model, path, threads, busy)


def _measure(setting: Setting, model: Model, path: Path, threads: int, busy: bool) -> None:
    tokens, prompts = _TOKENS // (4 if setting.quick else 1), _PROMPT // (4 if setting.quick else 1)
    decoded: dict[str, list[float]] = {name: [] for name in POLICIES}
    read: dict[str, list[float]] = {name: [] for name in POLICIES}
    for _ in range(setting.runs):
        for name, variables in POLICIES.items():
            pause()
            with _busy_core(busy):
                bench = setting.peer.bench
                decoded[name].append(bench(path, threads, 0, tokens, 0, **variables))
                read[name].append(bench(path, threads, prompts, 0, 0, **variables))
    beside = "beside a busy core" if busy else "alone"
    for what, values in (("generated", decoded), ("prompt", read)):
        series = [Series(name, tuple(values[name])) for name in POLICIES]
        best = min(series, key=lambda one: one.median)
        label = f"ms a {what} token, {threads} threads, {beside}"
        setting.add(NAME, model, label, series, f"best: {best.name}")


@contextlib.contextmanager
def _busy_core(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()
