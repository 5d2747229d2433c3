"""The file, block of rows by block of rows, gone on with where it was left.

While it is written a file is called `NAME.partial`; the final name appears when all is there. A
process that is killed loses the tensors since the last note (`record`); the same export goes on
behind them, to the same bytes.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from training.export import record as records
from training.export.content import Content
from training.export.encoding import encoded, reordered
from training.export.layout import FileLayout, Placed
from training.export.record import Record
from training.export.space import explained, partial

_BLOCK_VALUES = 4_194_304
"""Of one block of rows: 16 MiB in float32. A few of them are in memory at a time; with more threads
than two they are smaller, so that memory does not grow with the cores."""
NOTE_BYTES = 512 * 1024 * 1024
"""Written between two notes of how far it is."""

OnBytes = Callable[[int], None]


def write(
    content: Content,
    layouts: Sequence[FileLayout],
    target: Path,
    key: str,
    *,
    threads: int = 1,
    on_bytes: OnBytes = lambda count: None,
) -> None:
    """Write the files of a model, or what is missing of them.

    Args:
        content: what is in them.
        layouts: where it lies; see `layout.plan`.
        target: whose record is kept; with one file that file.
        key: says which export it is; see `record.key_of`.
        threads: blocks that are made at the same time.
        on_bytes: told how many bytes more there are; those of an earlier process at once.

    Raises:
        ExportProblem: a value can not be stored, the disk is full, or a weight can not be read.
    """
    known = records.read(target, key)
    target.parent.mkdir(parents=True, exist_ok=True)
    with explained(target), _pool(threads) as pool:
        for layout in layouts:
            if _renamed(known, layout):
                on_bytes(layout.size)
            else:
                known = _one_file(content, layout, target, known, pool, threads, on_bytes)
        first, *others = [layout.path for layout in layouts]
        if others and partial(first).exists():
            first.unlink(missing_ok=True)  # that of an earlier export, which names parts of its own
        for path in (*others, first):
            if partial(path).exists():
                partial(path).replace(path)
        records.write(target, records.finished(known, (first, *others)))


def is_done(target: Path, key: str) -> bool:
    """Whether just these files are there already."""
    return records.read(target, key).is_finished(target.parent)


def bytes_there(layouts: Sequence[FileLayout], target: Path, key: str) -> int:
    """What an earlier process has written of it."""
    known = records.read(target, key)
    paths = [one.path if _renamed(known, one) else partial(one.path) for one in layouts]
    return sum(path.stat().st_size for path in paths if path.exists())


def _renamed(known: Record, layout: FileLayout) -> bool:
    """Whether an earlier process has written this file of several, and given it its name."""
    path = layout.path
    whole = known.tensors.get(path.name) == len(layout.tensors)
    if not whole or partial(path).exists() or not path.exists():
        return False
    with path.open("rb") as file:
        return path.stat().st_size == layout.size and _fits(file, layout, layout.size)


def _one_file(
    content: Content, layout: FileLayout, target: Path, known: Record, pool: ThreadPoolExecutor,
    threads: int, on_bytes: OnBytes,
) -> Record:  # fmt: skip
    """Write what is missing of one file; how far the export is then."""
    path, name = partial(layout.path), layout.path.name
    path.touch()
    with path.open("r+b") as file:
        done = known.tensors.get(name, 0)
        start = layout.tensors[done].offset if done < len(layout.tensors) else layout.size
        if not done or not _fits(file, layout, start):
            done, start = 0, len(layout.header)
            file.seek(0)
            file.write(layout.header)
        on_bytes(start)
        file.seek(start)
        file.truncate()
        noted = start
        for number, placed in enumerate(layout.tensors[done:], start=done + 1):
            for part in _in_order(pool, threads, content, placed):
                file.write(part.data.cast("B"))  # `tofile` would not say why it fails
                on_bytes(part.nbytes)
            file.write(b"\0" * (-file.tell() % 32))
            if file.tell() - noted >= NOTE_BYTES or number == len(layout.tensors):
                noted = file.tell()
                file.flush()
                os.fsync(file.fileno())
                known = dataclasses.replace(known, tensors=known.tensors | {name: number})
                records.write(target, known)
    return known


def _fits(file: BinaryIO, layout: FileLayout, start: int) -> bool:
    """Whether the file begins as this export would begin it, and is as long as was noted."""
    return os.fstat(file.fileno()).st_size >= start and (
        file.read(len(layout.header)) == layout.header
    )


def _in_order(
    pool: ThreadPoolExecutor, ahead: int, content: Content, placed: Placed
) -> Iterator[np.ndarray]:
    """The bytes of a tensor by blocks of rows, as many ahead as there are threads."""
    if placed.source is None:
        yield content.constants[placed.name]
        return
    waiting: collections.deque[Future[np.ndarray]] = collections.deque()
    for start, stop in blocks(placed, _BLOCK_VALUES * 2 // max(2, ahead)):
        waiting.append(pool.submit(_block, content, placed, start, stop))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def blocks(placed: Placed, values: int) -> Iterable[tuple[int, int]]:
    """First row and the one behind the last of each block; never half of a head.

    Args:
        placed: the tensor.
        values: of one block, about.
    """
    rows, columns = placed.shape[0], int(np.prod(placed.shape[1:]))
    heads = placed.source.heads if placed.source else 0
    unit = rows // heads if heads else 1
    step = max(unit, values // columns // unit * unit)
    return ((start, min(start + step, rows)) for start in range(0, rows, step))


def _block(content: Content, placed: Placed, start: int, stop: int) -> np.ndarray:
    assert placed.source is not None
    source, rows = placed.source, placed.shape[0]
    values = content.merged.rows(source.source, start, stop)
    if source.heads:
        values = reordered(values, source.heads * (stop - start) // rows)
    return encoded(values, placed.kind, source.source)


@contextlib.contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that each compute alone: torch's own would stand in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
