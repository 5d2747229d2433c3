"""The data file of a benchmark: found on this machine, or downloaded and verified.

Content that differs from the published file is refused unless the user names the file itself: a
subset of one's own is legitimate, a silent mixture of versions is not.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant import locations
from assistant.benchmarks.catalogue import Dataset
from assistant.errors import DataProblem

MAX_BYTES = 512 << 20
"""Of a data file, decompressed; the largest published one has 8 MB."""
DOWNLOAD_SECONDS = 60.0
"""Longest silence of the server."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """The content of a data file, and what is known of it."""

    origin: str
    """Path, for messages."""
    content: bytes
    sha256: str
    """Of the content."""
    published: bool
    """It is the published file, byte for byte."""


def load(
    dataset: Dataset,
    given: Path | None = None,
    *,
    say: Callable[[str], None] = lambda text: None,
    url: str | None = None,
) -> DataFile:
    """Find the data, or fetch it.

    Args:
        dataset: what to look for.
        given: the file, its folder, or a folder of such folders (`--data`); None: the folder that
            `ASSISTANT_DATA` names, else the cache, else the network.
        say: is told about a download.
        url: where to download from, in place of the dataset's home.

    Raises:
        DataProblem: there is none, it is not the published data, or it can not be fetched.
    """
    if given is not None:
        return _verified(_read(_find(dataset, given)), dataset, exactly=not given.is_file())
    if folder := os.environ.get("ASSISTANT_DATA", "").strip():
        return _verified(_read(_find(dataset, Path(folder))), dataset, exactly=True)
    kept = cache_path(dataset)
    if not kept.is_file():
        _download(dataset, kept, say, url or dataset.url)
    return _verified(_read(kept), dataset, exactly=True)


def cache_path(dataset: Dataset) -> Path:
    """Where a download is kept: the checksum is in the name."""
    name = dataset.files[0].removesuffix(".gz").removesuffix(".jsonl")
    return locations.cache_dir() / "benchmarks" / f"{name}-{dataset.sha256[:12]}.jsonl"


def _find(dataset: Dataset, given: Path) -> Path:
    given = given.expanduser()
    if given.is_file():
        return given
    places = [*dataset.files, *(f"{dataset.folder}/{name}" for name in dataset.files)]
    for place in places:
        if (given / place).is_file():
            return given / place
    state = "there is nothing" if not given.exists() else "looked for " + " and ".join(places[::2])
    raise DataProblem(
        f"No {dataset.name} data at {given}: {state}.",
        hint="Name the file, its folder, or a folder of such folders (--data or ASSISTANT_DATA); "
        "without either it is downloaded.",
    )


def _read(path: Path) -> tuple[Path, bytes]:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataProblem(
            f"The data file {path} can not be read: {error}.",
            hint="If it was downloaded, it may be cut off: fetch it again.",
        ) from error
    if len(content) > MAX_BYTES:
        raise DataProblem(f"The data file {path} has more than {MAX_BYTES >> 20} MB.")
    return path, content


def _verified(found: tuple[Path, bytes], dataset: Dataset, *, exactly: bool) -> DataFile:
    path, content = found
    digest = hashlib.sha256(content).hexdigest()
    if exactly and digest != dataset.sha256:
        raise DataProblem(
            f"{path} is not the published {dataset.name}: its content has the SHA-256 "
            f"{digest[:16]}..., not {dataset.sha256[:16]}....",
            hint=f"Fetch it from {dataset.url}, or name the file itself with --data to use it as "
            "it is (the summary says so).",
        )
    return DataFile(str(path), content, digest, digest == dataset.sha256)


def _download(dataset: Dataset, target: Path, say: Callable[[str], None], url: str) -> None:
    hint = (
        f"Download {dataset.url} on a machine with a network and name the file with "
        "--data PATH (or set ASSISTANT_DATA)."
    )
    if _offline():
        raise DataProblem(
            f"The {dataset.name} data is not on this machine, and HF_HUB_OFFLINE forbids to "
            "download it.",
            hint=hint,
        )
    say(f"Downloading {dataset.name} ({dataset.licence}) from {url}")
    try:
        content = _fetch(url)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise DataProblem(
            f"{dataset.name} can not be downloaded from {url}: {error}.", hint=hint
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != dataset.sha256:
        raise DataProblem(
            f"What {url} sent is not {dataset.name}: SHA-256 {digest[:16]}..., expected "
            f"{dataset.sha256[:16]}.... It was thrown away.",
            hint=hint,
        )
    write_atomically(target, content)


def _offline() -> bool:
    """As huggingface_hub reads it."""
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}


def _fetch(url: str) -> bytes:
    import httpx

    received = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=DOWNLOAD_SECONDS) as response:
            response.raise_for_status()
            for piece in response.iter_raw():
                received += piece
                if len(received) > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES >> 20} MB")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(str(error) or type(error).__name__) from error
    return gzip.decompress(received) if received.startswith(b"\x1f\x8b") else bytes(received)


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Raises:
        StateProblem: the folder can not be made.
        OSError: the disk is full, or the like.
    """
    locations.ensure_private_dir(target.parent)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
