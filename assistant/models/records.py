"""What was downloaded from here, so that `remove` deletes that and nothing else.

The cache belongs to all programs that use the hub. A record is written before the first byte of a
file comes, one small file for each, and removed with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant import locations
from assistant.errors import ModelProblem, StateProblem
from assistant.models import download, names, places
from assistant.models.hub import RemoteFile
from assistant.models.names import Reference

VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One file that was, or is being, downloaded from here."""

    cache: str
    """The root of the hub's cache that it went to."""
    repository: str
    commit: str
    file: str
    sha256: str
    size: int

    @property
    def folder(self) -> Path:
        """Of the repository."""
        return places.repository_folder(Path(self.cache), self.repository)

    @property
    def pointer(self) -> Path:
        """Where the file is found when it is whole."""
        return self.folder / "snapshots" / self.commit / self.file

    @property
    def blob(self) -> Path:
        """Where its bytes are when it is whole."""
        return download.blob_path(self.folder, self.sha256)

    @property
    def received(self) -> int:
        """Bytes that are here."""
        if self.pointer.is_file():
            return self.size
        return download.received(self.folder, RemoteFile(self.file, self.size, self.sha256))

    @property
    def name(self) -> str:
        """What to type to get it."""
        return str(Reference(self.repository, file=names.parts_of(self.file)[0]))


def _path(record: Record) -> Path:
    place = f"{record.cache}\0{record.repository}\0{record.commit}\0{record.file}"
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
    return _folder() / f"{digest}.json"


def _folder() -> Path:
    return locations.state_dir() / "downloads"


def add(record: Record) -> None:
    """Remember a file.

    Raises:
        StateProblem: it can not be written.
    """
    path = _path(record)
    text = json.dumps({"version": VERSION} | asdict(record))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        raise StateProblem(
            f"{path} can not be written: {error.strerror or error}.",
            hint="Make room or make it writable, or set ASSISTANT_HOME to another folder.",
        ) from error


def forget(record: Record) -> None:
    """Remember it no longer."""
    _path(record).unlink(missing_ok=True)


def everything() -> list[Record]:
    """All records, in the order of their names; what can not be read is left out."""
    found = [record for path in _folder().glob("*.json") if (record := _read(path)) is not None]
    return sorted(found, key=lambda record: (record.repository, record.commit, record.file))


def _read(path: Path) -> Record | None:
    """A record, if it is one and stays within its cache."""
    try:
        body = json.loads(path.read_text("utf-8"))
        if not isinstance(body, dict) or body.pop("version", None) != VERSION:
            return None
        record = Record(**body)
        names.safe_file(record.file)
        reference = names.parse(record.repository)
        sound = reference == Reference(record.repository) and type(record.size) is int
        return record if sound and all(map(str.isalnum, (record.commit, record.sha256))) else None
    except (OSError, ValueError, TypeError, ModelProblem):
        return None


def unfinished() -> list[Record]:
    """Files whose download was begun and is not whole."""
    return [record for record in everything() if not record.pointer.is_file()]
