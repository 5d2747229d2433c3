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
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from assistant import locations
from assistant.benchmarks.data import write_atomically
from assistant.benchmarks.problems import Problem
from assistant.benchmarks.rules import Rule
from assistant.errors import DataProblem
from assistant.events import Outcome

if TYPE_CHECKING:
    from assistant.checks.program import Program

VERSION = 2
"""Of the file and of everything that its content depends on; a change makes all of it anew."""
MEMORY_MB = (1024, 4096)
"""What a program may have; the second where the reference solution needs it."""
CPU_S, WALL_S = 300.0, 1800.0
MESSAGE_BYTES = 64 << 20
_BUFFER = 1 << 16

_NOT_NONE = "answered_with_something"
_NOT_NONE_CODE = """

def answered_with_something(*arguments):
    answer = {function}(*arguments)
    return answer if isinstance(answer, bool) else answer is not None
"""
_DIGEST = "digest_of_the_answer"
_DIGEST_CODE = """

def digest_of_the_answer(*arguments):
    import hashlib
    answer = {function}(*arguments)
    digest = hashlib.sha256(type(answer).__name__.encode())
    for item in answer if isinstance(answer, (list, tuple)) else [answer]:
        digest.update(repr(item).encode("utf-8", "surrogatepass") + b",")
    return digest.hexdigest()
"""


class Expected(NamedTuple):
    """One input. A tuple, for there are tens of thousands."""

    packed: bytes
    """The arguments, as `Program.call_encoded` takes them."""
    output: bytes
    """The text of the reference solution's output."""
    seconds: float
    """That the reference solution took for it, call and transport together."""
    digest: bool = False
    """The output is a digest of the real one, which is too long to be sent."""


_SHORT_OF_MEMORY = frozenset({Outcome.MEMORY, Outcome.CRASH})
_Entry = tuple[int, int, float, bool]
"""Lengths of arguments and output, seconds, digest."""


class Truth:
    """The ground truth of one task; outputs are read from the file as they are asked for."""

    def __init__(self, path: Path) -> None:
        """Open a file that `write` made.

        Raises:
            OSError: it is not there.
            ValueError: it is of another version, or broken.
        """
        self._file = path.open("rb", _BUFFER)
        try:
            length = int.from_bytes(self._file.read(8), "big")
            header = marshal.loads(self._file.read(length))
            if header["version"] != VERSION:
                raise ValueError(f"version {header['version']}")
            self._start = 8 + length
            self._entries: list[_Entry] = header["entries"]
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
    def helped(self) -> bool:
        """Some of its outputs can not leave the sandbox as they are."""
        return self.rule is Rule.NOT_NONE or any(entry[3] for entry in self._entries)

    @property
    def seconds(self) -> float:
        """That the reference solution takes for all inputs."""
        return sum(entry[2] for entry in self._entries)

    def __iter__(self) -> Iterator[Expected]:
        self._file.seek(self._start)
        read = self._file.read
        for arguments, output, seconds, digest in self._entries:
            yield Expected(read(arguments), read(output), seconds, digest)


def folder(sha256: str) -> Path:
    """Where the ground truth of a data file is kept; another Python may give other outputs."""
    python = f"{platform.python_implementation().lower()}{platform.python_version()}"
    return locations.cache_dir() / "benchmarks" / f"truth-{VERSION}-{sha256[:16]}-{python}"


def path_of(place: Path, problem: Problem) -> Path:
    """The file of one task: what it depends on beyond the data file is in the name."""
    rule = problem.inputs.rule.value if problem.inputs else ""
    digest = hashlib.sha256(f"{problem.reference}\0{rule}".encode()).hexdigest()[:8]
    return place / f"{problem.id.replace('/', '-')}-{digest}"


def load(
    program: Program,
    entry_point: str,
    *,
    helped: bool,
    cpu_s: float = CPU_S,
    wall_s: float = WALL_S,
) -> None:
    """Load the answer, and what tells of an output that can not leave as it is where it is needed.

    It is a text of its own: appended to the answer it could repair an answer that ends badly.

    Raises:
        Stopped: the answer did not load.
    """
    program.load(cpu_s=cpu_s, wall_s=wall_s)
    if helped:
        helpers = (_NOT_NONE_CODE + _DIGEST_CODE).format(function=entry_point)
        program.ask("load", helpers, cpu_s=cpu_s, wall_s=wall_s)


def function_of(entry_point: str, rule: Rule, *, digest: bool = False) -> str:
    """What to call in such a program; a match object can not leave the sandbox."""
    if digest:
        return _DIGEST
    return _NOT_NONE if rule is Rule.NOT_NONE else entry_point


def compute(problem: Problem, target: Path, stop: threading.Event | None = None) -> None:
    """Run the reference solution on all inputs and write its outputs.

    Raises:
        Stopped: there is no sandbox, or the run was cancelled.
        DataProblem: the reference solution does not stand its own inputs.
        OSError: the file can not be written.
    """
    from assistant.checks.program import Stopped

    for memory_mb in MEMORY_MB:
        entries: list[_Entry] = []
        blob: list[bytes] = []
        try:
            for expected in _outputs(problem, memory_mb, stop):
                lengths = len(expected.packed), len(expected.output)
                entries.append((*lengths, expected.seconds, expected.digest))
                blob += (expected.packed, expected.output)
        except Stopped as stopped:
            if stopped.outcome in _SHORT_OF_MEMORY and memory_mb != MEMORY_MB[-1]:
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


def _outputs(problem: Problem, memory_mb: int, stop: threading.Event | None) -> Iterator[Expected]:
    from assistant.checks.program import Program, Stopped, packed_arguments
    from assistant.sandbox import Limits

    assert problem.inputs is not None
    limits = Limits(
        cpu_s=CPU_S,
        wall_s=WALL_S,
        memory_mb=memory_mb,
        message_kb=MESSAGE_BYTES >> 10,
        output_kb=4096,
    )
    pending = [packed_arguments(one) for one in (*problem.inputs.base, *problem.inputs.plus)]
    digest = False
    # What an output that is longer than a message, or its text than the memory, comes to.
    last = memory_mb == MEMORY_MB[-1]
    too_long = {Outcome.PROTOCOL_VIOLATION} | (_SHORT_OF_MEMORY if last else frozenset())
    while pending:
        with Program(problem.reference, limits, stop=stop) as program:
            load(program, problem.entry_point, helped=True)
            while pending:
                function = function_of(problem.entry_point, problem.inputs.rule, digest=digest)
                started = time.perf_counter()
                try:
                    output = program.call_encoded(function, pending[0])
                except Stopped as stopped:
                    if digest or stopped.outcome not in too_long:
                        raise
                    # This program is of no more use.
                    digest = True
                    break
                yield Expected(pending.pop(0), output, time.perf_counter() - started, digest)
                digest = False


def _header(problem: Problem, entries: list[_Entry], memory_mb: int) -> dict[str, Any]:
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


def unpacked(packed: bytes) -> list[Any]:
    """The arguments of a call.

    Raises:
        ValueError: they are not of types that a data file can have.
    """
    arguments = marshal.loads(packed)
    if len(arguments) != 2:
        raise ValueError("arguments that are not of built-in types")
    return list(arguments[0])


def is_there(path: Path) -> bool:
    """Whether a file holds a whole ground truth; a damaged one is removed."""
    try:
        with Truth(path) as truth:
            size = truth._start + sum(entry[0] + entry[1] for entry in truth._entries)
            if size == os.fstat(truth._file.fileno()).st_size:
                return True
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        pass
    path.unlink(missing_ok=True)
    return False
