"""Samples files: one JSON object a line, `task_id` with `solution` or `completion`.

`solution` is a whole program; `completion` is appended to the task's prompt; of both, the solution
counts. A line that can not be used is named and left out, and the others are judged.

Several lines for a task are several samples of it (pass@k), numbered in the file's order, or by
their own field `sample`. What is a duplicate:

- two lines with the same task and the same `sample` number: always;
- a line without a number that repeats task and text of an earlier one: unless the file has
  several samples a task, which it has when most of its tasks have more than one line and some
  task has two different texts. (Equal texts are usual among samples drawn from a model.)

The first of duplicates counts.

Only one line is held at a time; what is kept of each is its place in the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from assistant.benchmarks.problems import Problem
from assistant.errors import DataProblem

MAX_PROGRAM_BYTES = 1 << 20
"""The longest program that is judged; no model writes a longer one."""
MAX_LINE_BYTES = 4 << 20
"""A longer line is not even parsed (JSON may take several bytes for one of the text)."""
_BOM = b"\xef\xbb\xbf"
_HINT = "A samples file has one JSON object a line: task_id, and solution or completion."
_UTF_8 = "Save it as UTF-8: iconv -f UTF-16 -t UTF-8 {0} > samples.jsonl"
_MARKS = (
    (b"\x1f\x8b", "compressed (gzip)", "Unpack it: gunzip -k {0}"),
    (b"PK\x03\x04", "a zip archive", "Unpack it: unzip {0}"),
    (b"(\xb5/\xfd", "compressed (Zstandard)", "Unpack it: zstd -d {0}"),
    (b"\xff\xfe", "UTF-16 text", _UTF_8),
    (b"\xfe\xff", "UTF-16 text", _UTF_8),
)
"""Files that are no lines of JSON as a whole, by their first bytes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Where a sample is in its file; `text_of` reads it."""

    task: str
    number: int
    """Among the samples of the task, from 0."""
    line: int
    offset: int
    length: int
    """Bytes of the line."""
    digest: bytes
    """Of the program."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that can not be used."""

    line: int
    reason: str
    task: str = ""


@dataclass(frozen=True, slots=True)
class SamplesFile:
    """What a samples file holds."""

    path: Path
    sha256: str
    samples: tuple[Sample, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One usable line, before it has a number."""

    task: str
    given: int | None
    line: int
    offset: int
    length: int
    digest: bytes


@dataclass(slots=True)
class _Reading:
    found: list[_Line] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    lines: int = 0


def read(path: Path, problems: Mapping[str, Problem]) -> SamplesFile:
    """Go through a samples file.

    Args:
        path: the file.
        problems: the tasks of the benchmark by id.

    Raises:
        DataProblem: it can not be read, or there is no line in it.
    """
    reading = _Reading()
    digest = hashlib.sha256()
    try:
        _check_kind(path)
        with path.open("rb") as file:
            for number, offset, length, line in _lines(file, digest):
                reading.lines += 1
                if line is None:
                    reason = f"the line has {length} bytes, more than {MAX_LINE_BYTES >> 20} MiB"
                    reading.rejected.append(Rejected(number, reason))
                else:
                    _take(reading, problems, number, offset, line)
    except OSError as error:
        raise DataProblem(
            f"The samples file {path} can not be read: {error.strerror or error}.",
            hint=_HINT,
        ) from error
    if not reading.lines:
        raise DataProblem(f"The samples file {path} has no lines.", hint=_HINT)
    samples = _numbered(reading)
    rejected = tuple(sorted(reading.rejected, key=lambda one: one.line))
    return SamplesFile(path, digest.hexdigest(), tuple(samples), rejected)


def _check_kind(path: Path) -> None:
    """Each program is read when its turn comes, from a file that can be read again."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise DataProblem(f"{path} is a folder, not a samples file.", hint=_HINT)
    if not stat.S_ISREG(mode):
        raise DataProblem(
            f"{path} is a pipe or a device, which can be read only once.",
            hint="Write the samples to a file, and name that.",
        )
    with path.open("rb") as file:
        start = file.read(4)
    for mark, what, hint in _MARKS:
        if start.startswith(mark):
            raise DataProblem(f"The samples file {path} is {what}.", hint=hint.format(path))


def text_of(file: BinaryIO, sample: Sample, problem: Problem) -> str:
    """The program of a sample.

    Raises:
        DataProblem: the file is no longer what it was.
    """
    program = ""
    file.seek(sample.offset)
    with contextlib.suppress(ValueError, TypeError):
        program = _program(json.loads(_bare(file.read(sample.length))), problem)
    if _digest(program) != sample.digest:
        raise DataProblem(
            f"The samples file changed while it was judged (line {sample.line}).",
            hint="Run the same command again with another --out DIR.",
        )
    return program


def _lines(file: BinaryIO, digest: Any) -> Iterator[tuple[int, int, int, bytes | None]]:
    """Number, offset, length and content of each line that is not blank; None: too long."""
    number, offset = 0, 0
    while chunk := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        digest.update(chunk)
        start, line, length = offset, chunk, len(chunk)
        while not chunk.endswith(b"\n") and len(chunk) == MAX_LINE_BYTES + 1:
            chunk = file.readline(MAX_LINE_BYTES + 1)
            digest.update(chunk)
            length += len(chunk)
        offset += length
        if length > MAX_LINE_BYTES:
            yield number, start, length, None
        elif _bare(line):
            yield number, start, length, line


def _bare(line: bytes) -> bytes:
    return line.removeprefix(_BOM).strip()


def _take(
    reading: _Reading, problems: Mapping[str, Problem], number: int, offset: int, line: bytes
) -> None:
    task = ""
    try:
        row = json.loads(_bare(line))
        if not isinstance(row, dict):
            raise ValueError("not a JSON object")
        task = _task(row, problems)
        program = _program(row, problems[task])
        given = _given(row)
    except (ValueError, RecursionError) as error:
        reading.rejected.append(Rejected(number, _reason(error, line), task))
        return
    reading.found.append(_Line(task, given, number, offset, len(line), _digest(program)))


def _reason(error: Exception, line: bytes) -> str:
    if isinstance(error, json.JSONDecodeError):
        nul = " (the line has NUL bytes)" if b"\0" in line else ""
        return f"not JSON: {error.msg} at character {error.pos + 1}{nul}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text at byte {error.start + 1}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)


def _task(row: dict[str, Any], problems: Mapping[str, Problem]) -> str:
    """The id as the benchmark writes it; a number alone will do."""
    if "task_id" not in row:
        raise ValueError("no task_id")
    given = row["task_id"]
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ValueError(f"task_id must be a text or a number, not {str(given)[:40]!r}")
    if given in problems:
        return str(given)
    prefix = next(iter(problems)).partition("/")[0]
    head, _, tail = str(given).rpartition("/")
    task = f"{prefix}/{tail}"
    if head.lower() in ("", prefix.lower()) and task in problems:
        return task
    raise ValueError(f"unknown task_id {str(given)[:40]!r}")


def _program(row: dict[str, Any], problem: Problem) -> str:
    name = "solution" if "solution" in row else "completion"
    if name not in row:
        raise ValueError("neither solution nor completion")
    text = row[name]
    if not isinstance(text, str):
        raise ValueError(f"{name} must be a text, not {type(text).__name__}")
    program = text if name == "solution" else problem.prompt + text
    if "\0" in program:
        raise ValueError(f"{name} has a NUL character at {program.index(chr(0)) + 1}")
    try:
        size = len(program.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} is not Unicode text at character {error.start + 1}") from None
    if size > MAX_PROGRAM_BYTES:
        raise ValueError(f"{name} has {size} bytes, more than {MAX_PROGRAM_BYTES >> 20} MiB")
    return program


def _given(row: dict[str, Any]) -> int | None:
    given = row.get("sample")
    if given is None:
        return None
    if type(given) is not int or given < 0:
        raise ValueError(f"sample must be a number from 0, not {str(given)[:40]!r}")
    return given


def _digest(program: str) -> bytes:
    return hashlib.sha256(program.encode("utf-8", "surrogatepass")).digest()[:16]


def _numbered(reading: _Reading) -> list[Sample]:
    """Duplicates are sorted out, and every line has its number."""
    repeats_count = _has_several(reading.found)
    numbers: dict[str, dict[int, int]] = defaultdict(dict)
    texts: dict[tuple[str, bytes], int] = {}
    samples = []
    # Those with a number of their own first: the others fill what is left.
    for line in sorted(reading.found, key=lambda one: (one.given is None, one.line)):
        taken = numbers[line.task]
        earlier = taken.get(line.given) if line.given is not None else None
        if line.given is None and not repeats_count:
            earlier = texts.get((line.task, line.digest))
        if earlier is not None:
            reason = f"a duplicate of line {earlier} (the same {_what(line)})"
            reading.rejected.append(Rejected(line.line, reason, line.task))
            continue
        number = line.given if line.given is not None else _free(taken)
        taken[number] = line.line
        texts.setdefault((line.task, line.digest), line.line)
        samples.append(Sample(line.task, number, line.line, line.offset, line.length, line.digest))
    return sorted(samples, key=lambda one: one.line)


def _what(line: _Line) -> str:
    return "task and text" if line.given is None else f"task and sample number {line.given}"


def _free(taken: Mapping[int, int]) -> int:
    """The next number; those before it are taken, as long as numbers are not given by hand."""
    number = len(taken)
    while number in taken:
        number += 1
    return number


def _has_several(lines: list[_Line]) -> bool:
    """Whether the file has several samples a task, so that equal texts are samples too."""
    counts = Counter(line.task for line in lines)
    if not counts or statistics.median_low(counts.values()) < 2:
        return False
    texts = {(line.task, line.digest) for line in lines}
    return len(texts) > len(counts)
