"""One file of the hub into its cache: resumed, verified, and never half there under its name.

The bytes go to `blobs/SHA256.incomplete`, at their own place in the file, so that two writers would
write the same; they are renamed to `blobs/SHA256` when the checksum of the whole fits. One process
downloads a file at a time, by the lock that the hub's own tools take, too.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assistant.errors import ModelProblem, StateProblem
from assistant.models.hub import Hub, RemoteFile, StartRefused, Transient
from assistant.models.watching import Watcher, held

PARTIAL = ".incomplete"
SPARE = 0.1
"""Of a file's size that has to stay free beside it."""
_READ = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a broken download goes on by itself."""

    tries: int = 6
    """In a row without one byte received."""
    seconds: float = 1.0
    """Before the second try; twice as long before each further one."""


def size_text(count: float) -> str:
    """Such as `512 B`, `13.4 MB`, `4.92 GB`."""
    for unit, scale, digits in (("GB", 1e9, 2), ("MB", 1e6, 1), ("KB", 1e3, 1)):
        if count >= scale:
            return f"{count / scale:.{digits}f} {unit}"
    return f"{count:.0f} B"


def blob_path(folder: Path, sha256: str) -> Path:
    """Where a file with this checksum lies in a repository's folder."""
    return folder / "blobs" / sha256


def partial_path(folder: Path, sha256: str) -> Path:
    """Where it grows."""
    return folder / "blobs" / (sha256 + PARTIAL)


def received(folder: Path, file: RemoteFile) -> int:
    """How many bytes of a file are here already."""
    for path in (blob_path(folder, file.sha256), partial_path(folder, file.sha256)):
        with contextlib.suppress(OSError):
            return min(path.stat().st_size, file.size)
    return 0


def require_space(folder: Path, files: list[RemoteFile]) -> None:
    """Refuse a download that the disk can not take.

    Raises:
        StateProblem: what is missing, and a tenth of the whole, is more than what is free.
    """
    whole = sum(file.size for file in files)
    missing = whole - sum(received(folder, file) for file in files)
    needed = missing + int(SPARE * whole) if missing else 0
    there = _existing(folder)
    free = shutil.disk_usage(there).free
    if needed > free:
        raise StateProblem(
            f"The download needs {size_text(needed)} in {folder.parent} ({size_text(missing)} to "
            f"come, and a tenth of {size_text(whole)} to spare); {size_text(free)} are free.",
            hint="Make room, choose a smaller quantisation, or set HF_HOME to a folder on another "
            "disk.",
        )


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def fetch(
    hub: Hub,
    repository: str,
    commit: str,
    file: RemoteFile,
    folder: Path,
    *,
    watcher: Watcher,
    patience: Patience | None = None,
) -> Path:
    """Download one file, or go on where an earlier try stopped.

    Args:
        hub: where it comes from.
        repository: `org/repo`.
        commit: the one that the listing was made at.
        file: what is to come.
        folder: of the repository in the cache.
        watcher: is told how far it is.
        patience: with a connection that breaks.

    Returns:
        The verified file, `blobs/SHA256`.

    Raises:
        ModelProblem: the hub refuses, what came is another file, or it came to nothing.
        StateProblem: the disk is full or the folder can not be written.
    """
    blob, partial = blob_path(folder, file.sha256), partial_path(folder, file.sha256)
    try:
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.parent / ".locks" / folder.name / f"{file.sha256}.lock"
        with held(lock, watcher, file.name):
            if _is_whole(blob, file):
                return blob
            try:
                _receive(hub, repository, commit, file, partial, watcher, patience or Patience())
            except ModelProblem:
                if partial.exists() and not partial.stat().st_size:
                    partial.unlink()  # refused before the first byte: nothing has begun
                raise
            partial.replace(blob)
    except OSError as error:
        raise _disk_problem(error, partial, file) from error
    return blob


def _is_whole(blob: Path, file: RemoteFile) -> bool:
    """Whether it is here; its name is its checksum, which was compared before it got the name."""
    try:
        return blob.stat().st_size == file.size
    except OSError:
        return False


def _disk_problem(error: OSError, partial: Path, file: RemoteFile) -> StateProblem:
    if error.errno in _FULL:
        kept = partial.stat().st_size if partial.exists() else 0
        return StateProblem(
            f"The disk is full: {file.name} has {size_text(file.size)}, and {size_text(kept)} of "
            f"it fit in {partial.parent}.",
            hint="What came is kept. Make room, and run the same command again to go on.",
        )
    return StateProblem(
        f"{error.filename or partial} can not be written: {error.strerror or error}.",
        hint="Check the permissions, or set HF_HOME to a folder that you can write to.",
    )


def _receive(
    hub: Hub,
    repository: str,
    commit: str,
    file: RemoteFile,
    partial: Path,
    watcher: Watcher,
    patience: Patience,
) -> None:
    """Fill `partial` until its checksum fits; what was there and spoils it is thrown away once."""
    for resumed in (True, False):
        with _opened(partial) as out:
            growing = _Growing(out, file)
            if resumed:
                growing.read_back(watcher)
            else:
                growing.restart()
            kept = growing.done
            watcher.begin(file.name, file.size, growing.done)
            try:
                _until_whole(hub, repository, commit, growing, watcher, patience)
            finally:
                watcher.end()
            out.flush()
            os.fsync(out.fileno())
            digest = growing.digest.hexdigest()
        if digest == file.sha256:
            return
        partial.unlink()
        if not kept:
            break
        watcher.say(f"What was here of {file.name} is damaged; it is downloaded from the start.")
    raise ModelProblem(
        f"What was sent for {repository}/{file.name} is not that file: SHA-256 {digest[:16]}..., "
        f"expected {file.sha256[:16]}.... It was thrown away.",
        hint="Try again later. If it happens again, something between here and the hub changes it.",
    )


def _opened(partial: Path) -> BinaryIO:
    """For reading and writing, whatever is in it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    # Not to be run, which is what it would be by default.
    return os.fdopen(os.open(partial, flags, 0o666), "r+b")


class _Growing:
    """A file that grows, and the checksum of what it has so far."""

    def __init__(self, out: BinaryIO, file: RemoteFile) -> None:
        self.file = file
        self.done = 0
        self.digest = hashlib.sha256()
        self._out = out

    def read_back(self, watcher: Watcher) -> None:
        """Take what an earlier try left; more than the file has is no beginning of it."""
        there = self._out.seek(0, os.SEEK_END)
        if there > self.file.size:
            self.restart()
            return
        self._out.seek(0)
        if not there:
            return
        watcher.say(f"Going on with {self.file.name}: {size_text(there)} are here.")
        watcher.begin(f"{self.file.name} (reading what is here)", there, 0)
        while piece := self._out.read(_READ):
            self.digest.update(piece)
            self.done += len(piece)
            watcher.advance(len(piece))
        watcher.end()

    def restart(self) -> None:
        """Throw everything away."""
        self._out.seek(0)
        self._out.truncate()
        self.done, self.digest = 0, hashlib.sha256()

    def add(self, piece: bytes) -> int:
        """Write what came, never more than the file has; returns how much."""
        piece = piece[: self.file.size - self.done]
        self._out.seek(self.done)
        self._out.write(piece)
        self.digest.update(piece)
        self.done += len(piece)
        return len(piece)

    def flush(self) -> None:
        """Give the system what is in our hands, so that a kill costs nothing."""
        self._out.flush()


def _until_whole(
    hub: Hub,
    repository: str,
    commit: str,
    growing: _Growing,
    watcher: Watcher,
    patience: Patience,
) -> None:
    """Ask again whenever the connection breaks, as long as something comes."""
    failures = 0
    while growing.done < growing.file.size:
        before = growing.done
        try:
            with hub.open(repository, commit, growing.file, growing.done) as body:
                if body.start != growing.done:
                    watcher.say("The server can not go on where it stopped; it starts again.")
                    growing.restart()
                    watcher.begin(growing.file.name, growing.file.size, 0)
                for piece in body.pieces:
                    watcher.advance(growing.add(piece))
                    growing.flush()
            problem = Transient("the connection ended before the file")
        except StartRefused:
            growing.restart()
            problem = Transient("the server has nothing from there on")
        except Transient as error:
            problem = error
        if growing.done >= growing.file.size:
            return
        failures = 1 if growing.done > before else failures + 1
        if failures >= patience.tries:
            raise _gave_up(problem, growing)
        seconds = max(problem.seconds, patience.seconds * 2 ** (failures - 1))
        watcher.say(f"{_sentence(problem)} Trying again in {seconds:.0f} s.")
        time.sleep(seconds)


def _gave_up(problem: Transient, growing: _Growing) -> ModelProblem:
    return ModelProblem(
        f"The download of {growing.file.name} came to a stop at {size_text(growing.done)} of "
        f"{size_text(growing.file.size)}: {problem}.",
        hint="What came is kept. Run the same command again to go on.",
    )


def _sentence(problem: Transient) -> str:
    text = str(problem)
    return text[:1].upper() + text[1:] + "."
