"""Deleting a model: what was downloaded from here, and no file that anything else still shows."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelProblem, StateProblem
from assistant.models import download, names, places, records, watching
from assistant.models.names import Reference
from assistant.models.records import Record


@dataclass(frozen=True, slots=True)
class Removal:
    """What would go."""

    records: tuple[Record, ...]
    size: int
    """Bytes that become free."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, as they are found by others."""
        return tuple(record.pointer for record in self.records)


def plan(wanted: Reference) -> Removal:
    """What `remove` would delete for a name.

    Raises:
        ModelProblem: nothing of it was downloaded from here; the message says where it is instead.
    """
    known = [one for one in records.everything() if one.repository == wanted.repository]
    if not known:
        raise _not_ours(wanted)
    try:
        parts = names.choose({record.file for record in known}, wanted)
    except ModelProblem:
        raise _not_ours(wanted) from None
    chosen = tuple(record for record in known if record.file in parts)
    return Removal(chosen, sum(record.received for record in chosen))


def _not_ours(wanted: Reference) -> ModelProblem:
    found = places.find(wanted)
    if found is None:
        return ModelProblem(
            f"There is no model {wanted} on this machine.",
            hint="See which models there are: assistant models list",
        )
    shelf, path = found
    return ModelProblem(
        f"{wanted} was not downloaded by this program: it lies in {path} ({shelf.place.value}).",
        hint="Remove it with the program that it belongs to, or delete that file yourself.",
    )


def remove(removal: Removal) -> None:
    """Delete it.

    Raises:
        ModelProblem: one of the files is being downloaded.
        StateProblem: a file can not be deleted.
    """
    for record in removal.records:
        lock = record.folder.parent / ".locks" / record.folder.name / f"{record.sha256}.lock"
        try:
            with watching.held(lock, _Refusing(record), record.file):
                _delete(record)
            lock.unlink(missing_ok=True)
            _tidy(record)
        except OSError as error:
            raise StateProblem(
                f"{error.filename or record.pointer} can not be deleted: {error.strerror or error}."
            ) from error
        records.forget(record)


def drop_superseded(whole: list[Record]) -> None:
    """Give up what began at an older commit and never became whole, now that these files are here.

    Args:
        whole: files that have come.
    """
    kept = {record.sha256 for record in whole}
    places_of = {(record.cache, record.repository, record.file) for record in whole}
    for record in records.unfinished():
        if (record.cache, record.repository, record.file) in places_of:
            if record.sha256 not in kept:
                download.partial_path(record.folder, record.sha256).unlink(missing_ok=True)
            records.forget(record)


class _Refusing(watching.Silent):
    """Does not wait for the download of what is to be deleted."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def say(self, text: str) -> None:
        """Told when another process has the lock."""
        raise ModelProblem(
            f"{self._record.name} is being downloaded at this moment.", hint="End that first."
        )


def _delete(record: Record) -> None:
    record.pointer.unlink(missing_ok=True)
    download.partial_path(record.folder, record.sha256).unlink(missing_ok=True)
    if not _is_shown(record):
        record.blob.unlink(missing_ok=True)


def _is_shown(record: Record) -> bool:
    """Whether another name in the repository's snapshots still leads to the same bytes."""
    links = (path for path in (record.folder / "snapshots").rglob("*") if path.is_symlink())
    return any(os.path.basename(os.readlink(path)) == record.sha256 for path in links)  # noqa: PTH115, PTH119


def _tidy(record: Record) -> None:
    """Remove folders that hold nothing any more, and names of commits that are gone."""
    snapshots, refs = record.folder / "snapshots", record.folder / "refs"
    folder = record.pointer.parent
    while folder not in (snapshots, record.folder) and _remove_empty(folder):
        folder = folder.parent
    if not (snapshots / record.commit).exists():
        for ref in refs.rglob("*"):
            if ref.is_file() and ref.read_text("ascii", "replace").strip() == record.commit:
                ref.unlink()
    locks = record.folder.parent / ".locks" / record.folder.name
    for folder in (snapshots, record.folder / "blobs", refs, record.folder, locks):
        _remove_empty(folder)


def _remove_empty(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
        return True
    return False
