"""Runs of `assistant export` in processes of their own, some of which are killed on the way.

A random moment is a random event: while it writes or quantises, the process counts the calls and
returns of every function, Python's and C's, and kills itself at the nth. So none is lost to the
seconds that imports and plans take. Kills within one call, such as a write, come from outside
(`killed_at_size`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training import files

NOTED_BYTES = 1_000_000
"""Between two notes of how far an export is, and in a file of a folder: small, as the models are.
"""
_PATIENCE = 120.0

_DRIVER = """
import atexit, json, os, signal, sys
told, last, noted, *arguments = sys.argv[1:]
last = int(last)
from assistant.engine import quantiser
from training.export import checkpoint, making, merging, writing
writing.NOTE_BYTES = checkpoint.SHARD_BYTES = int(noted)
# Blocks are made in threads, which are not counted: the order of their events is not fixed.
done = {"events": 0, "read": []}
def count(frame, event, argument):
    done["events"] += 1
    if done["events"] == last:
        die()
def die():
    os.kill(os.getpid(), signal.SIGKILL)
rows = merging.Merged.rows
def counted_rows(self, name, start, stop):
    done["read"].append(name)
    return rows(self, name, start, stop)
merging.Merged.rows = counted_rows
def counting(work):
    def counted(*given, **named):
        sys.setprofile(count)
        try:
            return work(*given, **named)
        finally:
            sys.setprofile(None)
    return counted
writing.write = counting(writing.write)
checkpoint.write = counting(checkpoint.write)
making._quantise = counting(making._quantise)
quantise = quantiser.quantise
def quantise_half(*given, on_progress, **named):
    half = lambda number, of: die() if last < 0 and number >= of // 2 else on_progress(number, of)
    return quantise(*given, on_progress=half, **named)
quantiser.quantise = quantise_half
@atexit.register
def tell():
    with open(told, "w") as file:
        json.dump(done, file)
from assistant.cli.main import main
sys.exit(main(["export", *arguments]))
"""


@dataclass(frozen=True)
class Run:
    """One run of the command.

    Attributes:
        code: its exit code; that of a killed one is below 0.
        said: what it wrote to stderr.
        events: that were counted; 0 for one that was killed.
        read: the tensors whose rows were read, once for each block.
    """

    code: int
    said: str
    events: int
    read: tuple[str, ...]

    @property
    def killed(self) -> bool:
        """Whether it was, by SIGKILL."""
        return self.code == -signal.SIGKILL


def export(
    *arguments: str | Path, die_at: int = 0, prepare: Callable[[], object] | None = None
) -> Run:
    """`assistant export`, to its end.

    Args:
        arguments: of the command.
        die_at: the event at which it kills itself; 0: none; below 0: when the quantiser is half
            through.
        prepare: is called in the process before it begins.
    """
    with _started(arguments, die_at, prepare) as (process, told):
        _, said = process.communicate(timeout=_PATIENCE)
        return _run(process, said, told)


def killed_at_size(target: Path, size: int, *arguments: str | Path) -> Run:
    """`assistant export`, killed from outside once `target`, whatever it is called, has `size`."""
    partial = target.with_name(target.name + files.PARTIAL)
    with _started(arguments, 0, None) as (process, told):
        while process.poll() is None and _size(partial) < size and not target.exists():
            if not partial.exists():  # it is still importing: leave it the processor
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.001)
        process.kill()
        _, said = process.communicate(timeout=_PATIENCE)
        return _run(process, said, told)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


@contextlib.contextmanager
def _started(
    arguments: tuple[str | Path, ...], die_at: int, prepare: Callable[[], object] | None
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    told = Path(os.environ["ASSISTANT_HOME"]) / "told.json"
    told.unlink(missing_ok=True)
    command = [sys.executable, "-c", _DRIVER, told, str(die_at), str(NOTED_BYTES), *arguments]
    process = subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", preexec_fn=prepare,
    )  # fmt: skip
    try:
        yield process, told
    finally:
        process.kill()
        process.communicate()


def _run(process: subprocess.Popen[str], said: str, told: Path) -> Run:
    found = {"events": 0, "read": []}
    if told.exists():
        found = json.loads(told.read_text(encoding="utf-8"))
    return Run(process.returncode, said, found["events"], tuple(found["read"]))
