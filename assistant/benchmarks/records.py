"""The folder of one evaluation: what it is of, and the verdicts so far.

    run.json         what was judged: benchmark, checksums of data and samples, prompt, rules
    verdicts.jsonl   a line for each judged sample; appended while judging, sorted at the end
    samples.jsonl    what a model answered, when the samples come from one
    summary.json     the figures

A line is flushed when its verdict is there, so a run that is killed loses nothing that was
judged; a torn last line is dropped and that sample judged again. Nothing in the files depends on
time or order: a run that was interrupted ends with the same bytes as one that was not.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem, StateProblem, UsageProblem

FORMAT = 1
RUN, VERDICTS, SUMMARY, SAMPLES = "run.json", "verdicts.jsonl", "summary.json", "samples.jsonl"
PASS, FAIL = "pass", "fail"


@dataclass(frozen=True, slots=True)
class Record:
    """The verdict on one sample."""

    task_id: str
    sample: int
    base: str
    """`pass` or `fail`."""
    plus: str | None
    """The same on all inputs; `fail` when the base fails; None: the benchmark has no more."""
    outcome: str
    """`pass`, or what the first input or test that did not pass came to."""
    kind: str
    """The exception's type, where the outcome is `error`."""
    where: str
    """The first input that did not pass, such as `plus 17`; empty for tests and passes."""
    layer: str
    """The isolation that the program ran in."""

    @property
    def key(self) -> tuple[str, int]:
        """What makes it one of a kind."""
        return self.task_id, self.sample


def claim(folder: Path, identity: dict[str, Any]) -> None:
    """Make `folder` this run's, or find that it is.

    Raises:
        UsageProblem: another run's results are in it.
        StateProblem: it can not be written.
    """
    wanted = {"format": FORMAT, **identity}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / RUN
        if not path.exists():
            if (folder / VERDICTS).exists() or (folder / SUMMARY).exists():
                raise UsageProblem(
                    f"{folder} holds results, and no {RUN} says of what.",
                    hint="Name another folder with --out DIR.",
                )
            _write(path, _json(wanted))
            return
        found = read_run(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    different = [name for name in wanted if found.get(name) != wanted[name]]
    if different:
        told = "; ".join(
            f"{name}: {_short(found.get(name))} there, {_short(wanted[name])} now"
            for name in different[:3]
        )
        raise UsageProblem(
            f"{folder} holds the results of another run ({told}).",
            hint="Name another folder with --out DIR, or remove that one.",
        )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:16] + "..."


def read_run(folder: Path) -> dict[str, Any]:
    """What the results in `folder` are of.

    Raises:
        DataProblem: there are none, or the file is broken.
    """
    return _object(folder / RUN)


def read_summary(folder: Path) -> dict[str, Any]:
    """The figures in `folder`.

    Raises:
        DataProblem: there are none, or the file is broken.
    """
    return _object(folder / SUMMARY)


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataProblem(
            f"{path.parent} is no folder of a finished evaluation: it has no {path.name}.",
            hint="Make one: assistant eval BENCHMARK --samples FILE --out DIR",
        ) from error
    except (OSError, ValueError) as error:
        raise DataProblem(f"{path} can not be read: {error}.") from error
    if not isinstance(found, dict):
        raise DataProblem(f"{path} is not a JSON object.")
    return found


def read_verdicts(folder: Path) -> dict[tuple[str, int], Record]:
    """The verdicts in `folder`, by task and sample; a last line without its end is left out.

    Raises:
        DataProblem: a line is not ours; the message names it.
    """
    path = folder / VERDICTS
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DataProblem(f"{path} can not be read: {error}.") from error
    # What follows the last end of line is nothing, or a line that was being written.
    lines.pop()
    found: dict[tuple[str, int], Record] = {}
    for number, line in enumerate(lines, start=1):
        # A crash of the whole machine may leave zeros where a line was to be.
        if not line.strip(b"\0 "):
            continue
        try:
            record = Record(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise DataProblem(
                f"{path}:{number}: not a verdict ({error}).",
                hint="Remove that line: its sample is judged again.",
            ) from error
        found[record.key] = record
    return found


class Journal:
    """Appends verdicts, a line at a time, each on disk before the next is asked for."""

    def __init__(self, folder: Path) -> None:
        """Cut off what a killed run left of its last line, and open the file.

        Raises:
            StateProblem: it can not be written.
        """
        self._path = folder / VERDICTS
        try:
            # No buffer: after a write that failed it would be written once more, by `close`.
            self._file = self._path.open("ab", buffering=0)
            size = self._file.tell()
            if size:
                whole = self._path.read_bytes().rfind(b"\n") + 1
                self._file.truncate(whole)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def add(self, record: Record) -> None:
        """Write one verdict.

        Raises:
            StateProblem: the disk is full, or the like.
        """
        try:
            rest = memoryview(line_of(record))
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def close(self) -> None:
        """Close the file; it can be read before that, too."""
        self._file.close()


def line_of(record: Record) -> bytes:
    """A verdict as it is in the file."""
    return (json.dumps(asdict(record), ensure_ascii=False) + "\n").encode()


def sort_verdicts(folder: Path, records: Iterable[Record]) -> None:
    """Replace the file by the same lines in the order of tasks and samples."""
    _write(folder / VERDICTS, b"".join(map(line_of, records)))


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write the figures."""
    _write(folder / SUMMARY, _json(summary))


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StateProblem:
    return StateProblem(
        f"{path} can not be written: {error.strerror or error}.",
        hint="Free some space or name another folder with --out DIR; what is judged is kept.",
    )
