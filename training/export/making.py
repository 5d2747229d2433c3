"""From the content of a file to the file: written directly, or through llama.cpp's quantiser."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import ExportProblem
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
class Weighing:
    """A text that says how much each column of each matrix matters, for the quantiser.

    Attributes:
        key: a hash of the text.
        compute: gives them by llama.cpp's name of the matrix; it takes long.
    """

    key: str
    compute: Callable[[], Mapping[str, np.ndarray]]


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
        weighing: by which text the quantiser weighs columns; None: all count the same.
        inputs_key: a hash of the inputs as they were when the order was made.
    """

    content: Content
    target: Path
    type_name: str
    inputs: tuple[Path, ...]
    split_bytes: int = 0
    threads: int = 1
    weighing: Weighing | None = None
    inputs_key: str = ""

    def __post_init__(self) -> None:
        if not self.inputs_key:
            object.__setattr__(self, "inputs_key", records.key_of(list(self.inputs)))

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
        labels = files.digest_of(self.content.labels)
        options = [self.inputs_key, self.written.name, self.split_bytes, labels]
        return files.digest_of(options)

    @property
    def quantised_key(self) -> str:
        """The same of what the quantiser makes of it."""
        weighed = self.weighing.key if self.weighing else ""
        return files.digest_of([self.key, self.type.name, weighed])


def layouts(order: Order) -> list[FileLayout]:
    """The files that are written here."""
    split = order.split_bytes if order.type.direct else 0
    return layout.plan(order.content, _place(order), order.written, split)


def intermediate(target: Path) -> Path:
    """The file in float16 that the quantiser reads; a name that nobody gives to a file."""
    return target.with_name(f"{target.name}.f16")


def need(order: Order, found: list[FileLayout]) -> Need:
    """What it takes on the disk."""
    size = sum(one.size for one in found)
    there = writing.bytes_there(found, _place(order), order.key)
    if order.type.direct:
        return Need(order.target, size, there=there)
    return Need(order.target, quantised_bytes(order, found[0]), size, there)


def _place(order: Order) -> Path:
    """Whose record tells how far the writing is."""
    return order.target if order.type.direct else intermediate(order.target)


def quantised_bytes(order: Order, source: FileLayout) -> int:
    """What the quantiser would make of the file that is written for it.

    llama.cpp itself says it, from a file that has nothing behind its header but a hole.
    """
    from assistant.engine import quantiser

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / source.path.name
        path.write_bytes(source.header)
        os.truncate(path, source.size)
        weighed = order.weighing is not None
        return quantiser.predicted_bytes(path, order.type.name, importance=weighed)


def make(order: Order) -> list[Path]:
    """Make the file, or what is missing of it; all the files that it is made of.

    Raises:
        UsageProblem: there is no such type.
        ExportProblem: there is no room, a value can not be stored, another process writes the
            same file, or what it is made from has changed meanwhile.
    """
    found = layouts(order)
    space.make_folder(order.target.parent)
    with alone.held(order.target):
        if is_done(order):
            say = Progress("export", 1, "file").say
            say(f"{order.target} is there already, of the same inputs")
        else:
            _written(order, found)
            if not order.type.direct:
                _quantise(order)
        _tidy(order)
    return [one.path for one in found] if order.type.direct else [order.target]


def is_done(order: Order) -> bool:
    """Whether the result is there, made from just these inputs, and as it was made."""
    key = order.key if order.type.direct else order.quantised_key
    return writing.is_done(order.target, key)


def _written(order: Order, found: list[FileLayout]) -> None:
    """Write what is missing of what is written here."""
    place = _place(order)
    if writing.is_done(place, order.key):
        return
    space.check_memory()
    space.check_disk(need(order, found))
    count = Megabytes("export", sum(one.size for one in found))
    writing.write(order.content, found, place, order.key, threads=order.threads, on_bytes=count.add)
    count.progress.close(", ".join(one.path.name for one in found))
    if records.key_of(list(order.inputs)) != order.inputs_key:
        records.path_of(place).unlink()
        raise ExportProblem(
            f"what {order.target} is made from has changed while it was written",
            hint="give the same command again: it is made from what is there now",
        )


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


def _quantise(order: Order) -> None:
    from assistant.engine import quantiser

    source, target = intermediate(order.target), order.target
    # An earlier result of that name is none from here on, whenever this process ends.
    records.write(target, Record(order.quantised_key))
    weights = _weights(order)
    count = len(order.content.tensors) + len(order.content.constants)
    progress = Progress(f"quantise {order.type.name}", count, "tensors")
    seen = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal seen
        progress.advance(done - seen)
        seen = done

    quantiser.quantise(
        source, target, order.type.name, threads=order.threads, imatrix=weights,
        on_progress=on_progress,
    )  # fmt: skip
    progress.close(target.name)
    records.write(target, records.finished(Record(order.quantised_key), [target]))


def _weights(order: Order) -> Mapping[str, np.ndarray] | None:
    """How much columns matter; what an earlier process has computed is not computed again."""
    if order.weighing is None:
        return None
    path = _weights_file(order)
    if not path.is_file():
        values: dict[str, Any] = dict(order.weighing.compute())
        with files.replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **values)
    with np.load(path) as found:
        return dict(found)


def _weights_file(order: Order) -> Path:
    return order.target.with_name(f"{order.target.name}.{order.quantised_key[:16]}.npz")


def _tidy(order: Order) -> None:
    """Remove what the quantiser has read.

    A process that was killed after its last note leaves it to the next one.
    """
    if order.type.direct:
        return
    _weights_file(order).unlink(missing_ok=True)
    source = intermediate(order.target)
    if writing.is_done(source, order.key):
        source.unlink()
        records.path_of(source).unlink()


def forget(target: Path) -> None:
    """Remove the record beside a file: who has asked for it keeps one of its own."""
    records.path_of(target).unlink(missing_ok=True)
