"""Files out of the page cache, so that what a side reads comes from the disk.

Only the files that are named: nothing else on the machine is touched, and no rights are needed.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np


def flushed(places: Iterable[Path]) -> float:
    """Wait until files, and all files in folders, are on the disk; seconds that it took."""
    started = time.perf_counter()
    for path in _files(places):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return time.perf_counter() - started


def dropped(places: Iterable[Path]) -> int:
    """Take files, and all files in folders, out of the cache; bytes that stay in it all the same.

    Pages that another process has mapped stay.
    """
    every = list(_files(places))
    flushed(every)
    for path in every:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return sum(cached(path) for path in every)


def cached(path: Path) -> int:
    """Bytes of a file that are in the page cache."""
    size = path.stat().st_size
    if not size:
        return 0
    mapped = np.memmap(path, np.uint8, "r")
    pages = -(-size // mmap.PAGESIZE)
    found = np.zeros(pages, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_void_p(mapped.ctypes.data), ctypes.c_size_t(size))
    if libc.mincore(*arguments, ctypes.c_void_p(found.ctypes.data)):
        raise OSError(ctypes.get_errno(), "mincore", str(path))
    return int((found & 1).sum()) * mmap.PAGESIZE


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from (path for path in sorted(place.rglob("*")) if path.is_file())
        elif place.exists():
            yield place
