"""Is there room for it? Asked before the long work, as no one wants to know after an hour."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ExportProblem
from assistant.models import machine
from training import files
from training.plan.numbers import size

_MEMORY_BYTES = 1_000_000_000
"""Blocks of rows, the vocabulary, torch itself; what is read of the weights can be given back."""


@dataclass(frozen=True)
class Need:
    """What an export takes.

    Attributes:
        target: of its result.
        result: bytes of it.
        between: bytes of a file that is deleted at the end.
        there: bytes of both that an earlier process has written.
    """

    target: Path
    result: int
    between: int = 0
    there: int = 0


def partial(path: Path) -> Path:
    """What a file is called while it is written."""
    return path.with_name(path.name + files.PARTIAL)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        ExportProblem: it can not be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportProblem(f"{folder} can not be made: {error.strerror or error}") from error


def check_disk(need: Need) -> None:
    """Refuse an export that the disk has no room for.

    Raises:
        ExportProblem: there is no room, or no such folder can be made.
    """
    folder = need.target.parent
    make_folder(folder)
    free = shutil.disk_usage(folder).free
    wanted = need.result + need.between - need.there
    if wanted > free:
        besides = f" and {size(need.between)} on the way to it" if need.between else ""
        raise ExportProblem(
            f"{need.target} takes {size(need.result)}{besides}, and {folder} has {size(free)} left",
            hint="name a folder on another disk with --out, or take a smaller --type",
        )


def check_memory() -> None:
    """Refuse to start where the machine has next to no memory left.

    Raises:
        ExportProblem: it has not.
    """
    available = machine.available_bytes()
    if available is not None and available < _MEMORY_BYTES:
        raise ExportProblem(
            f"{size(available)} of memory are available, and about "
            f"{size(_MEMORY_BYTES)} are needed",
            hint="close other programs, or stop the daemon: assistant stop",
        )


@contextlib.contextmanager
def explained(target: Path) -> Iterator[None]:
    """Errors of the disk in words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ExportProblem(
                f"there is no room left for {target}: {error.strerror}",
                hint="make room and give the same command again: it goes on where it stopped",
            ) from error
        raise ExportProblem(f"{target} can not be written: {error}") from error
