"""What the reference solution of a plus task gives, and how long it takes: the ground truth.

It is computed in the sandbox like everything that runs, once, and kept in a file for each task,
so that worker processes share it through the page cache and read only the outputs that they come
to: outputs of single calls reach 12 MB. The expected values never enter a sandbox again.

A file: 8 bytes of length, a marshalled header, and a blob that holds for each input the packed
arguments and the text of the output (`assistant.checks.values`).
"""

from __future__ import annotations

import hashlib
import marshal
import os
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from assistant import locations
from assistant.benchmarks.data import write_atomically
from assistant.benchmarks.problems import Problem
from assistant.benchmarks.rules import Rule
from assistant.errors import DataProblem

VERSION = 1
"""Of the file and of everything that its content depends on; a change makes all of it anew."""
MEMORY_MB = (1024, 4096)
"""What a program may have; the second where the reference solution needs it."""
CPU_S, WALL_S = 300.0, 1800.0
MESSAGE_BYTES = 64 << 20

_NOT_NONE = "answered_with_something"
_WRAPPER = """

def {name}(*arguments):
    answer = {function}(*arguments)
    return answer if isinstance(answer, bool) else answer is not None
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """One input."""

    packed: bytes
    """The arguments, as `Program.call_encoded` takes them."""
    output: bytes
    """The text of the reference solution's output."""
    seconds: float
    """That the reference solution took for it, call and transport together."""


class Truth:
    """The ground truth of one task; outputs are read from the file as they are asked for."""

    def __init__(self, path: Path) -> None:
        """Open a file that `write` made.

        Raises:
            OSError: it is not there.
            ValueError: it is of another version, or broken.
        """
        self._file = path.open("rb")
        try:
            length = int.from_bytes(self._file.read(8), "big")
            header = marshal.loads(self._file.read(length))
            if header["version"] != VERSION:
                raise ValueError(f"version {header['version']}")
            self._start = 8 + length
            self._entries: list[tuple[int, int, float]] = header["entries"]
            self.base: int = header["base"]
            self.rule = Rule(header["rule"])
            self.atol: float = header["atol"]
            self.entry_point: str = header["entry_point"]
            self.memory_mb: int = header["memory_mb"]
        except (EOFError, TypeError, KeyError, ValueError) as error:
            self._file.close()
            raise ValueError(f"{path} is no ground truth: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def seconds(self) -> float:
        """That the reference solution takes for all inputs."""
        return sum(entry[2] for entry in self._entries)

    def __iter__(self) -> Iterator[Expected]:
        self._file.seek(self._start)
        for arguments, output, seconds in self._entries:
            yield Expected(self._file.read(arguments), self._file.read(output), seconds)


def folder(sha256: str) -> Path:
    """Where the ground truth of a data file is kept; another Python may give other outputs."""
    python = f"{platform.python_implementation().lower()}{platform.python_version()}"
    return locations.cache_dir() / "benchmarks" / f"truth-{VERSION}-{sha256[:16]}-{python}"


def path_of(place: Path, problem: Problem) -> Path:
    """The file of one task: what it depends on beyond the data file is in the name."""
    inputs = problem.inputs
    rule = inputs.rule.value if inputs else ""
    digest = hashlib.sha256(f"{problem.reference}\0{rule}".encode()).hexdigest()[:8]
    return place / f"{problem.id.replace('/', '-')}-{digest}"


def program_of(source: str, entry_point: str, rule: Rule) -> tuple[str, str]:
    """The program to run and the function to call: match objects can not leave the sandbox."""
    if rule is not Rule.NOT_NONE:
        return source, entry_point
    return source + _WRAPPER.format(name=_NOT_NONE, function=entry_point), _NOT_NONE


def compute(problem: Problem, target: Path, stop: threading.Event | None = None) -> None:
    """Run the reference solution on all inputs and write its outputs.

    Raises:
        Stopped: there is no sandbox, or the run was cancelled.
        DataProblem: the reference solution does not stand its own inputs.
        OSError: the file can not be written.
    """
    from assistant.checks.program import Stopped
    from assistant.events import Outcome

    for memory_mb in MEMORY_MB:
        entries: list[tuple[int, int, float]] = []
        blob: list[bytes] = []
        try:
            for expected in _outputs(problem, memory_mb, stop):
                entries.append((len(expected.packed), len(expected.output), expected.seconds))
                blob += (expected.packed, expected.output)
        except Stopped as stopped:
            if stopped.outcome is Outcome.MEMORY and memory_mb != MEMORY_MB[-1]:
                continue
            if stopped.outcome in (Outcome.SANDBOX_UNAVAILABLE, Outcome.NOT_CHECKED):
                raise
            raise DataProblem(
                f"The reference solution of {problem.id} does not stand its own inputs "
                f"(after {len(entries)}): {stopped.detail}.",
                hint="The data file may be damaged, or this Python too new for it.",
            ) from stopped
        header = marshal.dumps(_header(problem, entries, memory_mb))
        write_atomically(target, b"".join((len(header).to_bytes(8, "big"), header, *blob)))
        return


def _outputs(
    problem: Problem, memory_mb: int, stop: threading.Event | None
) -> Iterator[Expected]:
    from assistant.checks.program import Program, packed_arguments
    from assistant.sandbox import Limits

    assert problem.inputs is not None
    limits = Limits(
        cpu_s=CPU_S,
        wall_s=WALL_S,
        memory_mb=memory_mb,
        message_kb=MESSAGE_BYTES >> 10,
        output_kb=4096,
    )
    source, function = program_of(problem.reference, problem.entry_point, problem.inputs.rule)
    with Program(source, limits, stop=stop) as program:
        program.load()
        for arguments in (*problem.inputs.base, *problem.inputs.plus):
            packed = packed_arguments(arguments)
            started = time.perf_counter()
            output = program.call_encoded(function, packed)
            yield Expected(packed, output, time.perf_counter() - started)


def _header(
    problem: Problem, entries: list[tuple[int, int, float]], memory_mb: int
) -> dict[str, Any]:
    assert problem.inputs is not None
    return {
        "version": VERSION,
        "memory_mb": memory_mb,
        "base": len(problem.inputs.base),
        "rule": problem.inputs.rule.value,
        "atol": problem.inputs.atol,
        "entry_point": problem.entry_point,
        "entries": entries,
    }


def is_there(path: Path) -> bool:
    """Whether a file holds a whole ground truth; a damaged one is removed."""
    try:
        with Truth(path) as truth:
            size = truth._start + sum(a + b for a, b, _ in truth._entries)
            if size == os.fstat(truth._file.fileno()).st_size:
                return True
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        pass
    path.unlink(missing_ok=True)
    return False
