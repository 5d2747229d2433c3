"""Files of rows in a folder: JSON, JSON lines (packed or not), Parquet and Arrow.

Rows come in the order of the files' names and, within one, in its own. A line that is no JSON is
a `Bad` row and the next one is read; a file that can not be opened at all is an error, because
silently training on half of the data is worse than stopping.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

from assistant.errors import DataProblem
from training.data.rows import Bad, Raw

_JSON = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
_COLUMNS = (".parquet", ".arrow")
SUFFIXES = (*_JSON, *_COLUMNS)
_OTHER_SPLITS = ("test", "valid", "dev")
MOST_LINE = 256 << 20
"""Bytes of one line: the longest row of TACO has tens of megabytes of tests and solutions."""
_BATCH = 64


def data_files(place: Path, split: str = "train") -> list[Path]:
    """The files at `place` that hold rows of `split`, sorted by name.

    Files in whose path (below `place`) the split is named are taken; when there are none, all
    that name no other split. A file itself is taken whatever its name is.
    """
    if place.is_file():
        return [place]
    found = sorted(p for p in place.rglob("*") if p.name.endswith(SUFFIXES) and p.is_file())
    names = {path: path.relative_to(place).as_posix().lower() for path in found}
    chosen = [path for path in found if split in names[path]]
    if chosen:
        return chosen
    return [path for path in found if not any(one in names[path] for one in _OTHER_SPLITS)]


def read(files: list[Path]) -> Iterator[Raw]:
    """Each row with its place: the number of the row, counted over all files.

    Raises:
        DataProblem: a file can not be read, or pyarrow is needed and not installed.
    """
    number = 0
    for path in files:
        reader = _columns if path.name.endswith(_COLUMNS) else _json
        try:
            for value in reader(path):
                place = str(number)
                yield place, Bad(place, value.reason) if isinstance(value, Bad) else value
                number += 1
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataProblem:
    return DataProblem(
        f"The data file {path} can not be read: {error}.",
        hint="If it was downloaded, it may be cut off: fetch it again.",
    )


def _json(path: Path) -> Iterator[Any]:
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as opened:
        file = cast(BinaryIO, opened)
        first = file.read(1)
        while first.isspace():
            first = file.read(1)
        file.seek(0)
        if first == b"[":
            yield from _list(path, file)
        else:
            yield from _lines(file)


def _list(path: Path, file: BinaryIO) -> Iterator[Any]:
    try:
        yield from json.load(file)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error


def _lines(file: BinaryIO) -> Iterator[Any]:
    while line := file.readline(MOST_LINE):
        if not line.endswith(b"\n") and len(line) == MOST_LINE:
            _skip_line(file)
            yield Bad("", "line: too long")
        elif line.strip():
            yield _object(line)


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(MOST_LINE)) and not rest.endswith(b"\n"):
        pass


def _object(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Bad("", "line: wrong encoding")
    except (ValueError, RecursionError):
        return Bad("", "line: invalid JSON")


def _columns(path: Path) -> Iterator[Any]:
    """Rows of Parquet or Arrow. Texts are asked for as bytes: one that is no UTF-8 must not cost
    the other rows of its batch."""
    pyarrow = _pyarrow()
    try:
        for batch in _batches(path):
            columns = {
                name: _values(pyarrow, column)
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }
            for index in range(batch.num_rows):
                yield {name: column[index] for name, column in columns.items()}
    except pyarrow.ArrowException as error:
        raise _unreadable(path, error) from error


def _batches(path: Path) -> Iterator[Any]:
    if path.suffix == ".parquet":
        with import_module("pyarrow.parquet").ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH)
        return
    ipc = import_module("pyarrow.ipc")
    pyarrow = _pyarrow()
    with pyarrow.memory_map(str(path)) as mapped:
        try:
            yield from ipc.open_stream(mapped)
        except pyarrow.ArrowInvalid:  # not the stream that `datasets` writes, but a file
            mapped.seek(0)
            found = ipc.open_file(mapped)
            for number in range(found.num_record_batches):
                yield found.get_batch(number)


def _values(pyarrow: Any, column: Any) -> list[Any]:
    kind = column.type
    if pyarrow.types.is_string(kind):
        column = column.view(pyarrow.binary())
    elif pyarrow.types.is_large_string(kind):
        column = column.view(pyarrow.large_binary())
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:  # in a list of texts; the other rows of the batch are whole
        values = [_value(one) for one in column]
    return values


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return Bad("", "wrong encoding")


def _pyarrow() -> Any:
    try:
        return import_module("pyarrow")
    except ImportError as error:
        raise DataProblem(
            "Parquet and Arrow files need the library pyarrow, which is not installed.",
            hint="pip install pyarrow; or save the data as JSON lines (.jsonl or .jsonl.gz).",
        ) from error
