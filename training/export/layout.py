"""Where everything lies in the file, or in several, known before a single weight is read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind

from training.export import types
from training.export.content import Content
from training.export.families import Tensor
from training.export.types import Type

_ALIGNMENT = gguf.GGUF_DEFAULT_ALIGNMENT


@dataclass(frozen=True)
class Placed:
    """A tensor in a file.

    Attributes:
        name: llama.cpp's.
        kind: how it is stored.
        shape: as transformers has it, rows first.
        offset: bytes from the start of the file.
        size: bytes.
        source: where its values come from; None: a constant.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    offset: int
    size: int
    source: Tensor | None


@dataclass(frozen=True)
class FileLayout:
    """One file.

    Attributes:
        path: its final name.
        header: everything before the values of the tensors.
        tensors: in their order.
        size: bytes.
    """

    path: Path
    header: bytes
    tensors: tuple[Placed, ...]
    size: int


def plan(content: Content, target: Path, wanted: Type, split_bytes: int = 0) -> list[FileLayout]:
    """The files of a model.

    Args:
        content: what to write.
        target: the file; with several it is the common part of their names.
        wanted: how matrices are stored; of those that are written here.
        split_bytes: of one file, about; 0: a single one.
    """
    parts = list(_parts(content, _kinds(content, wanted), split_bytes))
    paths = split_names(target, len(parts)) if len(parts) > 1 else [target]
    return [
        _file(content, path, wanted, part, number, parts)
        for number, (path, part) in enumerate(zip(paths, parts, strict=True))
    ]


def total_bytes(content: Content, wanted: Type) -> int:
    """Of all tensors, without the header."""
    return sum(size for *_, size in _sized(_kinds(content, wanted)))


def split_names(target: Path, count: int) -> list[Path]:
    """Names of the parts, as llama.cpp finds them: `NAME-00001-of-00003.gguf`."""
    stem = target.name.removesuffix(".gguf")
    return [target.with_name(f"{stem}-{n:05}-of-{count:05}.gguf") for n in range(1, count + 1)]


_Kinds = Mapping[str, tuple[Kind, tuple[int, ...], Tensor | None]]


def _kinds(content: Content, wanted: Type) -> _Kinds:
    """How each tensor is stored, its shape and source, by name, in the order of the file."""
    assert wanted.kind is not None
    kinds: dict[str, tuple[Kind, tuple[int, ...], Tensor | None]] = {}
    for name, values in content.constants.items():
        kinds[name] = (Kind.F32, values.shape, None)
    for tensor in content.tensors:
        kinds[tensor.name] = (types.stored(tensor.shape, wanted.kind), tensor.shape, tensor)
    return kinds


def _sized(kinds: _Kinds) -> Iterator[tuple[str, int]]:
    return ((name, types.stored_bytes(shape, kind)) for name, (kind, shape, _) in kinds.items())


def _parts(content: Content, kinds: _Kinds, split_bytes: int) -> Iterator[_Kinds]:
    """The tensors of each file."""
    part: dict[str, tuple[Kind, tuple[int, ...], Tensor | None]] = {}
    room = split_bytes
    for name, size in _sized(kinds):
        if split_bytes and part and size > room:
            yield part
            part, room = {}, split_bytes
        part[name] = kinds[name]
        room -= size
    yield part


def _file(
    content: Content, path: Path, wanted: Type, part: _Kinds, number: int, parts: Sequence[_Kinds]
) -> FileLayout:
    header = _header(content, wanted, part, number, parts)
    offset = len(header)
    placed = []
    for name, (kind, shape, source) in part.items():
        size = types.stored_bytes(shape, kind)
        placed.append(Placed(name, kind, shape, offset, size, source))
        offset += gguf.GGUFWriter.ggml_pad(size, _ALIGNMENT)
    return FileLayout(path, header, tuple(placed), offset)


def _header(
    content: Content, wanted: Type, part: _Kinds, number: int, parts: Sequence[_Kinds]
) -> bytes:
    """Metadata, and names, shapes, types and places of the tensors; padded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "header.gguf"
        writer = gguf.GGUFWriter(path, content.family.architecture)
        if number == 0:
            content.describe(writer, wanted.file_type)
        if len(parts) > 1:
            writer.add_uint16(gguf.Keys.Split.LLM_KV_SPLIT_NO, number)
            writer.add_uint16(gguf.Keys.Split.LLM_KV_SPLIT_COUNT, len(parts))
            writer.add_int32(gguf.Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT, sum(map(len, parts)))
        for name, (kind, shape, _) in part.items():
            _announce(writer, name, shape, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        writer.close()
        header = path.read_bytes()
    return header.ljust(gguf.GGUFWriter.ggml_pad(len(header), _ALIGNMENT), b"\0")


def _announce(writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: Kind) -> None:
    """Tell the writer of a tensor. Of blocks it wants the shape in bytes."""
    plain = {Kind.F32: np.float32, Kind.F16: np.float16}.get(kind)
    stored = shape if plain is not None else gguf.quant_shape_to_byte_shape(shape, kind)
    size = types.stored_bytes(shape, kind)
    writer.add_tensor_info(name, stored, np.dtype(plain or np.uint8), size, raw_dtype=kind)
