"""From the content of a file to the file: written directly, or through llama.cpp's quantiser."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training import files
from training.export import alone, layout, space, types, writing
from training.export import record as records
from training.export.content import Content
from training.export.layout import FileLayout
from training.export.record import Record
from training.export.space import Need
from training.export.types import Type
from training.progress import Progress

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Order:
    """A file that is to be made.

    Attributes:
        content: what is in it.
        target: its name.
        type_name: how matrices are stored.
        inputs: files and folders that it is made from: when one changes, it is another export.
        split_bytes: of one file, about; 0: a single one.
        threads: that work at the same time.
        importance: of the columns of each matrix, by llama.cpp's name, for the quantiser.
    """

    content: Content
    target: Path
    type_name: str
    inputs: tuple[Path, ...]
    split_bytes: int = 0
    threads: int = 1
    importance: Mapping[str, np.ndarray] | None = None

    @property
    def type(self) -> Type:
        """How matrices are stored."""
        return types.find(self.type_name)

    @property
    def written(self) -> Type:
        """What is written here: the type itself, or what the quantiser reads."""
        return self.type if self.type.direct else types.INTERMEDIATE

    @property
    def key(self) -> str:
        """A hash of everything that the bytes which are written here depend on."""
        options = {"type": self.written.name, "split": self.split_bytes, "labels": self._labels}
        return records.key_of(list(self.inputs), options)

    @property
    def quantised_key(self) -> str:
        """The same of what the quantiser makes of it."""
        weighed = {
            name: hashlib.sha256(values.tobytes()).hexdigest()
            for name, values in (self.importance or {}).items()
        }
        return files.digest_of({"from": self.key, "type": self.type.name, "weighed": weighed})

    @property
    def _labels(self) -> str:
        return files.digest_of(self.content.labels)


def layouts(order: Order) -> list[FileLayout]:
    """The files that are written here."""
    place = order.target if order.type.direct else intermediate(order.target)
    split = order.split_bytes if order.type.direct else 0
    return layout.plan(order.content, place, order.written, split)


def intermediate(target: Path) -> Path:
    """The file in float16 that the quantiser reads; a name that nobody gives to a file."""
    return target.with_name(f"{target.name}.f16")


def need(order: Order, found: list[FileLayout]) -> Need:
    """What it takes on the disk."""
    size = sum(one.size for one in found)
    if order.type.direct:
        return Need(order.target, size)
    return Need(order.target, quantised_bytes(order, found[0]), size)


def quantised_bytes(order: Order, source: FileLayout) -> int:
    """What the quantiser would make of the file that is written for it.

    llama.cpp itself says it, from a file that has nothing behind its header but a hole.
    """
    from assistant.engine import quantiser

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / source.path.name
        path.write_bytes(source.header)
        os.truncate(path, source.size)
        known = order.importance is not None
        return quantiser.predicted_bytes(path, order.type.name, importance=known)


def make(order: Order) -> list[Path]:
    """Make the file, or what is missing of it; all the files that it is made of.

    Raises:
        UsageProblem: there is no such type.
        ExportProblem: there is no room, or a value can not be stored.
    """
    found = layouts(order)
    place = order.target if order.type.direct else intermediate(order.target)
    space.make_folder(order.target.parent)
    with alone.held(order.target):
        if is_done(order, found):
            say = Progress("export", 1, "file").say
            say(f"{order.target} is there already, of the same inputs")
        else:
            _written(order, found, place)
            if not order.type.direct:
                _quantise(order, place)
        _tidy(order, place)
    return [one.path for one in found] if order.type.direct else [order.target]


def _written(order: Order, found: list[FileLayout], place: Path) -> None:
    """Write what is missing of what is written here."""
    if writing.is_done(found, place, order.key):
        return
    space.check_memory()
    space.check_disk(need(order, found))
    count = Megabytes("export", sum(one.size for one in found))
    writing.write(order.content, found, place, order.key, threads=order.threads, on_bytes=count.add)
    count.progress.close(", ".join(one.path.name for one in found))


def is_done(order: Order, found: list[FileLayout]) -> bool:
    """Whether the result is there, made from just these inputs."""
    if order.type.direct:
        return writing.is_done(found, order.target, order.key)
    known = records.read(order.target, order.quantised_key)
    return known.finished and order.target.is_file()


class Megabytes:
    """Bytes as whole megabytes for a progress display.

    Args:
        what: is going on.
        total: bytes.
    """

    def __init__(self, what: str, total: int) -> None:
        self.progress = Progress(what, -(-total // _MEGABYTE), "MB")
        self.bytes = 0

    def add(self, count: int) -> None:
        """So many bytes more."""
        before = self.bytes // _MEGABYTE
        self.bytes += count
        self.progress.advance(self.bytes // _MEGABYTE - before)


def _quantise(order: Order, source: Path) -> None:
    from assistant.engine import quantiser

    count = len(order.content.tensors) + len(order.content.constants)
    progress = Progress(f"quantise {order.type.name}", count, "tensors")
    seen = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal seen
        progress.advance(done - seen)
        seen = done

    quantiser.quantise(
        source, order.target, order.type.name, threads=order.threads,
        imatrix=order.importance, on_progress=on_progress,
    )  # fmt: skip
    progress.close(order.target.name)
    records.write(order.target, Record(order.quantised_key, {}, finished=True))


def _tidy(order: Order, source: Path) -> None:
    """Remove the float16 file that the quantiser has read.

    A process that was killed after its last note leaves it to the next one.
    """
    if not order.type.direct and records.read(source, order.key).finished:
        source.unlink(missing_ok=True)
        records.path_of(source).unlink()


def forget(target: Path) -> None:
    """Remove the record beside a file: who has asked for it keeps one of its own."""
    records.path_of(target).unlink(missing_ok=True)
