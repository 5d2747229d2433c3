"""Answers of a teacher that have been paid for: one JSON object a line, only ever appended to.

Each record is written whole and synced to the disk before it counts, so a kill at any moment
loses at most the answer that was under way. A torn last line is cut off when the file is opened.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem


class Cache:
    """Records by key. The file may be shared by runs that follow each other, not by two at once."""

    def __init__(self, path: Path) -> None:
        """Open or begin the file.

        Raises:
            DataProblem: a whole line of it is not a record.
        """
        self.path = path
        self._records: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            for number, line in enumerate(content[:whole].splitlines(), start=1):
                self._read(number, line)
        self._file = path.open("ab")
        self._file.truncate(whole)

    def _read(self, number: int, line: bytes) -> None:
        try:
            record = json.loads(line)
            self._records[record["key"]] = record
        except (ValueError, TypeError, KeyError) as error:
            raise DataProblem(
                f"{self.path}:{number} is not a record of a teacher's answer ({error})",
                hint="remove that line; the answer is asked for again",
            ) from error

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> dict[str, Any] | None:
        """The record, or None."""
        return self._records.get(key)

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Append a record; on return it is on the disk."""
        entry = {"key": key, **record}
        self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._records[key] = entry

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
