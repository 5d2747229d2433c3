"""The structure of a GGUF file, read and checked without llama.cpp.

A model file comes from somewhere else and is read by a parser in C that has had overflows. So
its header is walked here first: magic, version, counts, lengths and the place of every tensor
have to be possible. It also tells a text file, a half download and a foreign format apart, which
llama.cpp reports alike.

Not covered: the contents of the tensors, and whether the model computes anything sensible.
Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import collections
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.errors import ModelProblem

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_TENSORS = 100_000
MAX_KEYS = 10_000
MAX_KEY_BYTES = 65_535
MAX_NAME_BYTES = 63
"""Of a tensor."""
MAX_TEXT_BYTES = 1 << 26
"""Of all texts that are kept, together. A length with a wrong bit in it may mean gigabytes."""
MAX_ITEM_BYTES = 1 << 20
"""Of a text in a long array; the longest token has some hundred."""
MAX_ARRAY = 10_000_000
MAX_DIMENSIONS = 4
DEFAULT_ALIGNMENT = 32

# Arrays up to this length are kept; longer ones (the vocabulary) are only counted.
_KEEP_ARRAY = 512

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"

# ggml type -> (elements in a block, bytes of a block); the test compares it with gguf-py's.
BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip


TYPE_NAMES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS",
    19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 30: "BF16",
    34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Array:
    """A metadata array: its length, and its values when it is short or numeric and short."""

    length: int
    values: tuple[Any, ...] = ()
    type: int = 0
    """Of the elements, as the file numbers it."""
    start: int = 0
    """Byte position of the first element in the file."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies in the file."""

    name: str
    shape: tuple[int, ...]
    """In ggml's order: the contiguous dimension first."""
    type: int
    start: int
    """Byte position in the file."""
    size: int | None
    """Bytes; None for a type that is not known here."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself."""

    path: Path
    version: int
    file_size: int
    metadata: dict[str, Any] = field(repr=False)
    tensors: tuple[Tensor, ...] = field(repr=False)
    types: dict[str, int] = field(default_factory=dict, repr=False)
    """Of the metadata, as the file numbers them."""

    @property
    def architecture(self) -> str:
        """Such as `llama` or `qwen2`."""
        return self.text("general.architecture") or "unknown"

    @property
    def context_length(self) -> int | None:
        """Tokens that the model was trained for."""
        return self.integer(f"{self.architecture}.context_length")

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens."""
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        return tokens.length if isinstance(tokens, Array) else 0

    @property
    def parameters(self) -> int:
        """Number of weights."""
        total = 0
        for tensor in self.tensors:
            count = 1
            for size in tensor.shape:
                count *= size
            total += count
        return total

    @property
    def tensor_types(self) -> tuple[str, ...]:
        """Names of the weights' types, the one with most tensors first."""
        counts = collections.Counter(tensor.type for tensor in self.tensors)
        return tuple(TYPE_NAMES.get(kind, f"type {kind}") for kind, _ in counts.most_common())

    def text(self, key: str) -> str | None:
        """A string of the metadata, or None."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) and value else None

    def integer(self, key: str) -> int | None:
        """An integer of the metadata, or None."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_header(path: Path) -> Header:
    """Read and check the structure of a GGUF file.

    Raises:
        ModelProblem: missing, unreadable, not GGUF, truncated, or impossible in itself.
    """
    size = _file_size(path)
    try:
        with path.open("rb") as file:
            if size < 24:
                _refuse_short(path, file.read())
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _parse(path, data, size)
    except OSError as error:
        raise ModelProblem(
            f"{path} can not be read: {error.strerror or error}.",
            hint="Check the permissions of the file.",
        ) from error


def _file_size(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise ModelProblem(
            f"There is no model file {path}.",
            hint="See which models there are: assistant models list",
        ) from None
    except OSError as error:
        raise ModelProblem(f"{path} can not be read: {error.strerror or error}.") from error
    if path.is_dir():
        raise ModelProblem(
            f"{path} is a folder, not a GGUF file.",
            hint="Name the .gguf file in it; for a folder of weights: assistant export --base "
            f"{path} --out MODEL.gguf",
        )
    return status.st_size


def _refuse_short(path: Path, data: bytes) -> None:
    if data.startswith(MAGIC):
        raise _truncated(path, len(data), "the header is not complete")
    raise _not_gguf(path, data)


def _not_gguf(path: Path, start: bytes) -> ModelProblem:
    if not start:
        return ModelProblem(f"{path} is empty.", hint="Download or export it again.")
    if start.startswith(b"version https://git-lfs"):
        return ModelProblem(
            f"{path} is a Git LFS pointer, not the model itself.", hint="Fetch it: git lfs pull"
        )
    kind = "a text file" if _is_text(start) else f"it begins with {start[:4]!r} instead of b'GGUF'"
    return ModelProblem(
        f"{path} is not a GGUF file: {kind}.",
        hint="Choose a model in GGUF format: assistant models list",
    )


def _is_text(start: bytes) -> bool:
    try:
        sample = start[:512].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\t\r\n\f" for char in sample)


def _truncated(path: Path, size: int, why: str) -> ModelProblem:
    return ModelProblem(
        f"{path} is cut off after {size} bytes: {why}. A download or a copy probably stopped "
        "half-way.",
        hint="Get the file again, or export it again; then compare the sizes.",
    )


def impossible(path: Path, what: str) -> ModelProblem:
    """The error for a file that contradicts itself."""
    return ModelProblem(
        f"{path} is damaged: {what}.", hint="Get the file again from a source that you trust."
    )


def _parse(path: Path, data: mmap.mmap, size: int) -> Header:
    if data[:4] != MAGIC:
        raise _not_gguf(path, data[:512])
    reader = _Reader(path, data, size)
    version = reader.scalar("I")
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        why = "a big-endian file" if swapped in VERSIONS else "made for another release"
        raise ModelProblem(
            f"{path} has GGUF version {version} ({why}); readable are 2 and 3.",
            hint="Export or download it in version 3.",
        )
    tensor_count, key_count = reader.scalar("Q"), reader.scalar("Q")
    if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
        raise impossible(path, f"it claims {tensor_count} tensors and {key_count} metadata keys")
    metadata = reader.metadata(key_count)
    infos = [reader.tensor_info() for _ in range(tensor_count)]
    tensors = _place(path, infos, reader.position, metadata, size)
    return Header(path, version, size, metadata, tensors, reader.types)


_Info = tuple[str, tuple[int, ...], int, int]


def _place(
    path: Path, infos: list[_Info], end: int, metadata: dict[str, Any], size: int
) -> tuple[Tensor, ...]:
    """Give every tensor its place in the file, and check that it lies within."""
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise impossible(path, f"its alignment is {alignment!r}, not a power of two")
    base = -(-end // alignment) * alignment
    tensors = []
    names = set()
    expected: int | None = 0
    for name, shape, kind, offset in infos:
        if name in names:
            raise impossible(path, f"the tensor {name!r} occurs twice")
        names.add(name)
        if offset % alignment:
            raise impossible(path, f"the tensor {name!r} begins at {offset}, between alignments")
        if expected is not None and offset != expected:
            raise impossible(
                path,
                f"the tensor {name!r} begins at {offset}, where the one before ends at {expected}",
            )
        tensor = Tensor(name, shape, kind, base + offset, _bytes(path, name, shape, kind))
        last = tensor.start + (tensor.size or 0)
        expected = (
            None if tensor.size is None else -(-(offset + tensor.size) // alignment) * alignment
        )
        if last > size:
            raise _truncated(path, size, f"the tensor {name!r} would end at byte {last}")
        tensors.append(tensor)
    return tuple(tensors)


def _bytes(path: Path, name: str, shape: tuple[int, ...], kind: int) -> int | None:
    if kind not in BLOCKS:
        return None
    elements, size = BLOCKS[kind]
    if shape[0] % elements:
        raise impossible(path, f"the rows of {name!r} ({shape[0]}) are no multiple of {elements}")
    count = 1
    for dimension in shape:
        count *= dimension
    return count // elements * size


class _Reader:
    """A position in the header that can not leave the file."""

    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self.path = path
        self.position = len(MAGIC)
        self._data = data
        self._size = size
        self._kept = 0
        self.types: dict[str, int] = {}

    def take(self, count: int) -> int:
        """The start of the next `count` bytes; moves behind them."""
        start = self.position
        if count > self._size - start:
            raise _truncated(self.path, self._size, f"the header goes on behind byte {start}")
        self.position = start + count
        return start

    def scalar(self, code: str) -> Any:
        layout = "<" + code
        return struct.unpack_from(layout, self._data, self.take(struct.calcsize(layout)))[0]

    def string(self, limit: int | None = None) -> str:
        length = self.scalar("Q")
        if limit is not None and length > limit:
            raise impossible(self.path, f"a name has {length} bytes")
        start = self.take(length)
        self._kept += length
        if self._kept > MAX_TEXT_BYTES:
            raise impossible(
                self.path, f"the text at byte {start} has {length} bytes, too many to be true"
            )
        return self._data[start : start + length].decode("utf-8", "replace")

    def metadata(self, count: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(count):
            key = self.string(MAX_KEY_BYTES)
            if not key or key in found:
                what = f"the metadata key {key!r} occurs twice" if key else "a key has no name"
                raise impossible(self.path, what)
            self.types[key] = kind = self.scalar("I")
            found[key] = self._value(kind, key)
        return found

    def tensor_info(self) -> _Info:
        name = self.string(MAX_NAME_BYTES)
        dimensions = self.scalar("I")
        if not 1 <= dimensions <= MAX_DIMENSIONS:
            raise impossible(self.path, f"the tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self.scalar("Q") for _ in range(dimensions))
        if not all(0 < size < 1 << 40 for size in shape):
            raise impossible(self.path, f"the tensor {name!r} has the shape {shape}")
        return name, shape, self.scalar("I"), self.scalar("Q")

    def _value(self, kind: int, key: str) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array(key)
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        raise impossible(self.path, f"the metadata key {key!r} has the unknown type {kind}")

    def _skip_strings(self, count: int) -> None:
        """Move behind `count` strings; a real vocabulary has hundreds of thousands."""
        data, position, unpack = self._data, self.position, struct.Struct("<Q").unpack_from
        last = self._size - 8
        for _ in range(count):
            if position > last:
                break
            length = unpack(data, position)[0]
            if length > MAX_ITEM_BYTES:
                self.take(position + 8 + length - self.position)
                raise impossible(self.path, f"a text in an array has {length} bytes")
            position += 8 + length
        self.take(position - self.position)

    def _array(self, key: str) -> Array:
        kind, length = self.scalar("I"), self.scalar("Q")
        if length > MAX_ARRAY:
            raise impossible(self.path, f"the array {key!r} claims {length} values")
        if kind == _STRING:
            start = self.position
            if length <= _KEEP_ARRAY:
                return Array(length, tuple(self.string() for _ in range(length)), kind, start)
            self._skip_strings(length)
            return Array(length, (), kind, start)
        if kind not in _SCALARS:
            raise impossible(self.path, f"the array {key!r} has the unknown type {kind}")
        layout = f"<{length}{_SCALARS[kind]}" if length <= _KEEP_ARRAY else "<"
        start = self.take(length * struct.calcsize("<" + _SCALARS[kind]))
        return Array(length, struct.unpack_from(layout, self._data, start), kind, start)
