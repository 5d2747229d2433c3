"""Answers of a teacher that have been paid for: one JSON object a line, only ever appended to.

    {"version": 2, "key": "9f..", "task": "t1", "turn": "writer", "model": "big", "revision": "",
     "sample": 0, "attempt": 0, "finish": "stop", "usage": [310, 512], "text": "..."}

Each record is written whole and synced to the disk before it counts, so a kill at any moment
loses at most the answers that were under way. A torn last line is cut off when the file is
opened. What a record says is read again each time it is used: whether it follows the form is
decided by today's rules, not by those of the day it came.

Records without a version are those of version 1 (one accepted answer each, with another key);
they are found under their old keys and stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant import filelock
from assistant.errors import DataProblem, TrainingProblem
from training.teachers.calls import (
    KEY_VERSION,
    Answer,
    Call,
    Teacher,
    first_key_of,
    key_of,
)
from training.teachers.dialogue import SEEDS_A_SAMPLE


@dataclass(frozen=True)
class _Place:
    """Where a record lies; only this is kept in memory."""

    path: Path
    offset: int
    length: int


class Records:
    """Answers by key.

    Runs that follow each other share the file; two at once are kept apart by a lock.
    """

    def __init__(self, path: Path, older: Iterable[Path] = ()) -> None:
        """Open or begin the file.

        Args:
            path: where records are appended.
            older: files that are read as well and never written; missing ones are no matter.

        Raises:
            DataProblem: a whole line is not a record.
            TrainingProblem: another process has the file open.
        """
        self.path = path
        self._places: dict[str, _Place] = {}
        self._cut: dict[str, _Place] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_name(path.name + ".lock").open("ab")
        if not filelock.take(self._lock.fileno()):
            self._lock.close()
            raise TrainingProblem(
                f"another run is writing to {path}",
                hint="wait for it, or give this one its own file: --set contexts.records=FILE",
            )
        for one in older:
            if one != path and one.exists():
                self._load(one)
        whole = self._load(path) if path.exists() else 0
        self._file = path.open("ab")
        self._file.truncate(whole)

    def _load(self, path: Path) -> int:
        """Note the places of all whole records; the length of the whole lines in bytes."""
        offset = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                key, whole = _checked(path, number, line)
                (self._places if whole else self._cut)[key] = _Place(path, offset, len(line))
                offset += len(line)
        return offset

    def __len__(self) -> int:
        return len(self._places)

    def get(self, call: Call, teacher: Teacher) -> Answer | None:
        """The answer that is kept for a call; never one that was cut off."""
        place = self._places.get(key_of(call, teacher))
        if place is None and call.attempt == 0:
            seed = call.sampling.seed - SEEDS_A_SAMPLE * call.sample
            old = first_key_of(call.task, call.messages, teacher.model, call, seed)
            # Version 1 knew no revisions.
            place = self._places.get(old) if not teacher.revision else None
        return None if place is None else _read(place)

    def cut_off(self, call: Call, teacher: Teacher) -> Answer | None:
        """The last answer to a call that was cut off: paid for, and of no use."""
        place = self._cut.get(key_of(call, teacher))
        return None if place is None else _read(place)

    def put(self, call: Call, teacher: Teacher, answer: Answer) -> None:
        """Append an answer; on return it is on the disk."""
        key = key_of(call, teacher)
        row = {
            "version": KEY_VERSION,
            "key": key,
            "task": call.task,
            "turn": call.turn,
            "model": teacher.model,
            "revision": teacher.revision,
            "sample": call.sample,
            "attempt": call.attempt,
            "finish": answer.finish,
            "usage": [answer.prompt_tokens, answer.completion_tokens],
            "text": answer.text,
        }
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        (self._places if answer.whole else self._cut)[key] = _Place(self.path, offset, len(line))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._lock.close()


def _read(place: _Place) -> Answer:
    with place.path.open("rb") as file:
        file.seek(place.offset)
        row = json.loads(file.read(place.length))
    prompt, completion = row.get("usage", (0, 0))
    return Answer(row["text"], row.get("finish", "stop"), prompt, completion)


def _checked(path: Path, number: int, line: bytes) -> tuple[str, bool]:
    """The key of a record, and whether its answer is whole."""
    try:
        row: dict[str, Any] = json.loads(line)
        key, text, version = row["key"], row["text"], row.get("version", 1)
        if not (isinstance(key, str) and isinstance(text, str) and isinstance(version, int)):
            raise ValueError("key, text or version has the wrong type")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataProblem(
            f"{path}:{number} is not a record of a teacher's answer ({error})",
            hint="remove that line; the answer is asked for again",
        ) from error
    if version > KEY_VERSION:
        raise DataProblem(
            f"{path}:{number} has version {version}; this program knows versions up to "
            f"{KEY_VERSION}",
            hint="update the program, or begin another file: --set contexts.records=FILE",
        )
    return key, row.get("finish") != "length"


def default_path(teacher: Teacher) -> Path:
    """One file for each model and revision, in the cache folder."""
    name = "-".join(filter(None, (teacher.model, teacher.revision)))
    return _folder() / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', name)[:120] or 'unnamed'}.v2.jsonl"


def first_path(url: str, model: str) -> Path:
    """Where version 1 kept the answers of a model behind an address."""
    name = hashlib.sha256(f"{url}\0{model}".encode()).hexdigest()[:12]
    return _folder() / f"{name}.jsonl"


def _folder() -> Path:
    from assistant.locations import cache_dir

    return cache_dir() / "teachers"


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Every record of a file as it stands, cut-off answers included."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                _checked(path, number, line)
                yield json.loads(line)
