"""Fetching a model: what the name means, what is here already, what has to come, and the links.

The layout is that of the Hugging Face cache: `blobs/SHA256`, `snapshots/COMMIT/FILE` as links, and
`refs/REVISION` with a commit, written when all is there. Other programs find the model there, and
what they fetched is found here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from assistant import locations
from assistant.errors import ModelProblem, StateProblem
from assistant.models import catalogue, download, environment, hub, names, places, records, removal
from assistant.models.download import Patience, size_text
from assistant.models.hub import Hub, Listing, RemoteFile, Transient
from assistant.models.names import Reference
from assistant.models.watching import Watcher

_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here now."""

    path: Path
    """Of its file, the first one when it is split."""
    size: int
    """Bytes of all its files."""
    downloaded: int
    """Bytes that came now."""
    note: str = ""
    """Why nothing came, if so."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a download would be, to ask whether it shall."""

    name: str
    """`org/repo/file.gguf`, of a split model its first file."""
    size: int
    """Bytes of all its files."""
    to_come: int
    """Those that are not here yet."""
    licence: str
    """As its card says; '' when it does not."""
    warning: str
    """What one should know of the licence, or ''."""

    @property
    def received(self) -> int:
        """Bytes that an earlier try has brought."""
        return self.size - self.to_come


def plan(wanted: Reference, revision: str = "main", *, watcher: Watcher) -> Plan:
    """What `pull` would download; nothing is, but for the list of what there is.

    Raises:
        ModelProblem: there is no such model, it is not for this user, or the hub can not be
            reached.
        ConfigProblem: `HF_ENDPOINT` names no hub.
    """
    if environment.offline():
        raise _not_to_be_had(wanted, "HF_HUB_OFFLINE forbids to use the network")
    with hub.connect() as connection:
        try:
            listing = _listing(connection, wanted, revision, watcher, Patience())
        except Transient as error:
            raise _not_to_be_had(wanted, str(error)) from error
    files = [listing.files[name] for name in names.choose(listing.files, wanted)]
    folder = places.repository_folder(locations.hub_cache_dir(), listing.repository)
    return Plan(
        name=f"{listing.repository}/{files[0].name}",
        size=sum(file.size for file in files),
        to_come=sum(file.size - download.received(folder, file) for file in files),
        licence=listing.licence,
        warning=catalogue.licence_warning(listing.repository, listing.licence),
    )


def pull(
    wanted: Reference,
    revision: str = "main",
    *,
    watcher: Watcher,
    patience: Patience | None = None,
) -> Pulled:
    """Make sure that a model is here.

    Args:
        wanted: what is wanted.
        revision: a branch, a tag, or the 40 digits of a commit.
        watcher: is told how far it is.
        patience: with a connection that breaks.

    Raises:
        ModelProblem: there is no such model, it is not for this user, what came was not it, or
            the hub can not be reached.
        StateProblem: the disk has no room, or can not be written.
        ConfigProblem: `HF_ENDPOINT` names no hub.
    """
    patience = patience or Patience()
    if environment.offline():
        return _only_here(wanted, "HF_HUB_OFFLINE forbids to use the network")
    with hub.connect() as connection:
        try:
            listing = _listing(connection, wanted, revision, watcher, patience)
        except Transient as error:
            return _only_here(wanted, str(error))
        files = [listing.files[name] for name in names.choose(listing.files, wanted)]
        for file in files:
            names.safe_file(file.name)
        return _into_cache(connection, listing, revision, files, watcher, patience)


def _listing(
    connection: Hub, wanted: Reference, revision: str, watcher: Watcher, patience: Patience
) -> Listing:
    for attempt in range(1, max(2, patience.tries // 2)):
        try:
            return connection.listing(wanted.repository, revision)
        except Transient as error:
            seconds = max(error.seconds, patience.seconds * 2 ** (attempt - 1))
            watcher.say(f"{error}. Trying again in {seconds:.0f} s.")
            time.sleep(seconds)
    return connection.listing(wanted.repository, revision)


def _only_here(wanted: Reference, why: str) -> Pulled:
    """The model as it is here, since nothing can come."""
    found = places.find(wanted)
    if found is None:
        raise _not_to_be_had(wanted, why)
    shelf, path = found
    size = sum(one.stat().st_size for one in with_siblings(path))
    return Pulled(path, size, 0, f"it is here ({shelf.place.value}), and {why}")


def _not_to_be_had(wanted: Reference, why: str) -> ModelProblem:
    return ModelProblem(
        f"{wanted} is not on this machine, and it can not be downloaded: {why}.",
        hint="Check the network (or a proxy: HTTPS_PROXY, a mirror: HF_ENDPOINT), or see what "
        "there is: assistant models list",
    )


def with_siblings(path: Path) -> list[Path]:
    """The files of a model: `path`, or all parts when it is one of a split model."""
    return [path.with_name(name) for name in names.parts_of(path.name)]


def _elsewhere(listing: Listing, files: list[RemoteFile], watcher: Watcher) -> Pulled | None:
    """The same files in another program's folder, by name, size and checksum."""
    own = places.repository_folder(locations.hub_cache_dir(), listing.repository)
    for shelf in places.shelves(listing.repository):
        paths = [shelf.files.get(_name_in(shelf, file)) for file in files]
        found = [path for path in paths if path is not None]
        if len(found) < len(files) or found[0].is_relative_to(own):
            continue
        pairs = list(zip(found, files, strict=True))
        if all(path.stat().st_size == file.size for path, file in pairs) and all(
            _sha256(path, file, watcher) == file.sha256 for path, file in pairs
        ):
            whole = sum(file.size for file in files)
            return Pulled(found[0], whole, 0, f"it is here already ({shelf.place.value})")
    return None


def _name_in(shelf: places.Shelf, file: RemoteFile) -> str:
    return file.name.replace("/", "_") if shelf.place is places.Place.LLAMA_CPP else file.name


def _sha256(path: Path, file: RemoteFile, watcher: Watcher) -> str:
    digest = hashlib.sha256()
    watcher.begin(f"{file.name} (checking what is here)", file.size, 0)
    try:
        with path.open("rb") as content:
            while piece := content.read(_READ):
                digest.update(piece)
                watcher.advance(len(piece))
    except OSError:
        return ""
    finally:
        watcher.end()
    return digest.hexdigest()


def _into_cache(
    connection: Hub,
    listing: Listing,
    revision: str,
    files: list[RemoteFile],
    watcher: Watcher,
    patience: Patience,
) -> Pulled:
    cache = locations.hub_cache_dir()
    folder = places.repository_folder(cache, listing.repository)
    snapshot = folder / "snapshots" / listing.commit
    missing = [file for file in files if not _is_here(snapshot, folder, file)]
    if missing and (found := _elsewhere(listing, files, watcher)) is not None:
        return found
    to_come = sum(file.size - download.received(folder, file) for file in missing)
    if missing:
        _introduce(listing, files, to_come, watcher)
        download.require_space(folder, files)
    for file in missing:
        records.add(_record(cache, listing, file))
    try:
        for file in files:
            if file in missing:
                download.fetch(
                    connection, listing.repository, listing.commit, file, folder,
                    watcher=watcher, patience=patience,
                )  # fmt: skip
            _link(folder, snapshot, file)
    finally:
        _forget_the_unbegun(cache, listing, missing)
    if revision != listing.commit:
        _write_ref(folder / "refs" / revision, listing.commit)
    removal.drop_superseded([_record(cache, listing, file) for file in files])
    note = "" if missing else "it is here already (Hugging Face cache)"
    return Pulled(snapshot / files[0].name, sum(file.size for file in files), to_come, note)


def _record(cache: Path, listing: Listing, file: RemoteFile) -> records.Record:
    return records.Record(
        str(cache), listing.repository, listing.commit, file.name, file.sha256, file.size
    )


def _forget_the_unbegun(cache: Path, listing: Listing, files: list[RemoteFile]) -> None:
    """A file that was refused at once is no download that stopped half-way."""
    for record in (_record(cache, listing, file) for file in files):
        if not record.received:
            records.forget(record)


def _is_here(snapshot: Path, folder: Path, file: RemoteFile) -> bool:
    for path in (snapshot / file.name, download.blob_path(folder, file.sha256)):
        with contextlib.suppress(OSError):
            if path.stat().st_size == file.size:
                return True
    return False


def _introduce(listing: Listing, files: list[RemoteFile], to_come: int, watcher: Watcher) -> None:
    count = f" in {len(files)} files" if len(files) > 1 else ""
    licence = listing.licence or "not stated"
    watcher.say(
        f"Downloading {listing.repository}/{files[0].name}{count}: {size_text(to_come)} "
        f"(commit {listing.commit[:10]}, licence: {licence})."
    )
    if warning := catalogue.licence_warning(listing.repository, listing.licence):
        watcher.say(f"Mind the licence: {warning}")


def _link(folder: Path, snapshot: Path, file: RemoteFile) -> None:
    """Let the snapshot show the blob; where there are no links, the blob itself goes there."""
    pointer, blob = snapshot / file.name, download.blob_path(folder, file.sha256)
    if pointer.is_file() and pointer.stat().st_size == file.size:
        return
    try:
        pointer.parent.mkdir(parents=True, exist_ok=True)
        target = os.path.relpath(blob, pointer.parent)
        handle, name = tempfile.mkstemp(dir=pointer.parent, prefix=".link-")
        os.close(handle)
        link = Path(name)
        link.unlink()
        try:
            link.symlink_to(target)
        except OSError:
            blob.replace(pointer)
            return
        link.replace(pointer)
    except OSError as error:
        raise _not_written(pointer, error) from error


def _write_ref(path: Path, commit: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".ref-")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(commit)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> StateProblem:
    return StateProblem(
        f"{path} can not be written: {error.strerror or error}.",
        hint="Make room or make it writable, or set HF_HOME to a folder that you can write to.",
    )
