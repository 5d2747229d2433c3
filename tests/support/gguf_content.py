"""All that a GGUF file holds, vocabularies too, to compare two files.

`gguf.GGUFReader` takes twenty seconds for the tokens and merges of Llama 3; this takes a fraction
of one.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.models import gguf

_TEXT = 8
_NUMBERS = {0: "u1", 1: "i1", 2: "u2", 3: "i2", 4: "u4", 5: "i4", 6: "f4", 7: "?"}


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes:
        keys: values by name, lists among them.
        tensors: type, shape in ggml's order, and the bytes, by name.
    """

    keys: dict[str, Any]
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]]


def read(path: Path) -> Content:
    """Read a whole file."""
    header = gguf.read_header(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        keys = {
            name: _values(data, value) if isinstance(value, gguf.Array) else value
            for name, value in header.metadata.items()
        }
        tensors = {
            one.name: (
                gguf.TYPE_NAMES[one.type], one.shape, data[one.start : one.start + (one.size or 0)]
            )
            for one in header.tensors
        }  # fmt: skip
    return Content(keys, tensors)


def _values(data: mmap.mmap, array: gguf.Array) -> list[Any]:
    if array.type != _TEXT:
        kind = np.dtype(f"<{_NUMBERS[array.type]}")
        end = array.start + array.length * kind.itemsize
        return list(np.frombuffer(data[array.start : end], kind).tolist())
    place, found = array.start, []
    for _ in range(array.length):
        end = place + 8 + struct.unpack_from("<Q", data, place)[0]
        found.append(data[place + 8 : end].decode())
        place = end
    return found
