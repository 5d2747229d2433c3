"""Any source of rows by its name: found on this machine, or fetched from the hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem, UsageProblem
from training import files
from training.data import code_contests, code_search_net, folder, hub, mbpp, own_code, taco
from training.data.rows import Bad, Row, rows
from training.settings import Problems


@dataclass(frozen=True)
class DataSet:
    """A public data set: where it is, and how one of its rows is read."""

    name: str
    repository: str
    patterns: tuple[str, ...]
    """The files on the hub that are needed."""
    folders: tuple[str, ...]
    """Names that its folder goes by, where data sets are collected."""
    make: Callable[[str, dict[str, Any]], Row | None]
    about: int
    """Rows of its training split, about, for the progress."""


DATA_SETS = {
    one.name: one
    for one in (
        DataSet(
            # The hub has the same rows as Arrow, too, in the folder `train`.
            taco.NAME, "BAAI/TACO", ("ALL/train*.parquet",),
            ("taco", "TACO", "BAAI/TACO"), taco.make, 25_443,
        ),
        DataSet(
            code_contests.NAME, "deepmind/code_contests", ("*train*.parquet",),
            ("code_contests", "deepmind/code_contests"), code_contests.make, 13_328,
        ),
        DataSet(
            mbpp.NAME, "google-research-datasets/mbpp", ("full/train*.parquet",),
            ("mbpp", "google-research-datasets/mbpp"), mbpp.make, 374,
        ),
        DataSet(
            code_search_net.NAME, "code-search-net/code_search_net", ("python/train*.parquet",),
            ("code_search_net", "CodeSearchNet", "python"), code_search_net.make, 412_178,
        ),
    )
}  # fmt: skip
NAMES = ("world", *DATA_SETS, own_code.NAME)


@dataclass(frozen=True)
class Source:
    """An opened source."""

    rows: Iterator[Row | Bad]
    about: int
    """How many rows there are, about."""
    origin: dict[str, Any]
    """Where they come from: folder, commit, and the sha256 of each file."""


def source(
    settings: Problems, data: Path | None, say: Callable[[str], None] = lambda text: None
) -> Source:
    """Open the source that the settings name; rows are read as they are asked for.

    Args:
        settings: which source, and where it is.
        data: the folder that the user named with --data, or None.
        say: is told where the rows come from.

    Raises:
        UsageProblem: there is no such source.
        DataProblem: its files can not be found or fetched.
    """
    if settings.source == own_code.NAME:
        opened = _own_code(settings)
    elif settings.source in DATA_SETS:
        opened = _data_set(DATA_SETS[settings.source], settings, data, say)
    else:
        raise UsageProblem(
            f"There is no source of problems {settings.source!r}; there are {', '.join(NAMES)}.",
            hint="For example: --set problems.source=taco",
        )
    if settings.limit:
        limited = islice(opened.rows, settings.limit)
        return Source(limited, min(opened.about, settings.limit), opened.origin)
    return opened


def _own_code(settings: Problems) -> Source:
    place = Path(settings.folder).expanduser()
    if not settings.folder or not place.is_dir():
        raise DataProblem(
            f"There is no folder of your code at {settings.folder!r}.",
            hint="Name it: --set problems.folder=PATH",
        )
    found = own_code.python_files(place)
    origin = {"folder": str(place), "files": _digests(found, place)}
    return Source(own_code.read(place, found), len(found), origin)


def _data_set(
    dataset: DataSet, settings: Problems, data: Path | None, say: Callable[[str], None]
) -> Source:
    place, commit = _place(dataset, settings, data, say)
    found = folder.data_files(place)
    if not found:
        raise DataProblem(
            f"{place} holds no rows of {dataset.name}: looked for {', '.join(folder.SUFFIXES)}.",
            hint="Name the folder with its files: --set problems.folder=PATH, or --data PATH.",
        )
    root = place if place.is_dir() else place.parent
    say(f"{dataset.name} from {place} ({len(found)} file{'s' * (len(found) != 1)})")
    origin = {
        "folder": str(place), "repository": dataset.repository, "revision": commit,
        "files": _digests(found, root),
    }  # fmt: skip
    return Source(rows(folder.read(found), dataset.make), dataset.about, origin)


def _digests(found: list[Path], root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): files.digest(path) for path in found}


def _place(
    dataset: DataSet, settings: Problems, data: Path | None, say: Callable[[str], None]
) -> tuple[Path, str]:
    """The folder (or file) of a data set and its commit, which is empty for a local one."""
    if settings.folder:
        named = Path(settings.folder).expanduser()
        if not named.exists():
            raise DataProblem(
                f"There is nothing at {named}.", hint="problems.folder names a file or a folder."
            )
        return local(dataset, named) or named, ""
    for place in (data, data_of_environment()):
        if place is not None and (found := local(dataset, place)) is not None:
            return found, ""
    if data is not None:
        say(f"no {dataset.name} in {data}")
    return hub.fetch(dataset.repository, settings.revision, dataset.patterns, say=say)


def local(dataset: DataSet, place: Path) -> Path | None:
    """The data set at `place`: a file of it, its folder, or a folder of such folders."""
    place = place.expanduser()
    if place.is_file():
        return place if place.name.endswith(folder.SUFFIXES) else None
    for name in dataset.folders:
        if (place / name).is_dir():
            return place / name
    if place.name in dataset.folders and place.is_dir():
        return place
    return None


def data_of_environment() -> Path | None:
    """The folder that ASSISTANT_DATA names."""
    value = os.environ.get("ASSISTANT_DATA", "").strip()
    return Path(value) if value else None
