"""A GGUF file written front to back: the header first, then each tensor in pieces.

`gguf.GGUFWriter` alone would hold a tensor, or all of them, in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from tests.bench.serving.blocks import Kind


@dataclass(frozen=True)
class Tensor:
    """A tensor and how to make its bytes."""

    name: str
    shape: tuple[int, ...]
    """Rows, columns; the columns are contiguous."""
    kind: Kind
    pieces: Callable[[], Iterable[bytes]]

    @property
    def size(self) -> int:
        """Bytes."""
        elements, block = gguf.GGML_QUANT_SIZES[self.kind]
        return int(np.prod(self.shape, dtype=np.int64)) // elements * block


def given(name: str, values: np.ndarray, kind: Kind = Kind.F32) -> Tensor:
    """A tensor whose values are known and small: float32, float16 or Q8_0."""
    values = np.ascontiguousarray(values, np.float32)
    data = gguf.quants.quantize(values, kind)
    return Tensor(name, values.shape, kind, lambda: [data.tobytes()])


def write(
    path: Path, describe: Callable[[gguf.GGUFWriter], None], tensors: Sequence[Tensor]
) -> None:
    """Write the file; it appears under its name when it is complete.

    Args:
        path: where to.
        describe: adds the metadata.
        tensors: in the order of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    writer = gguf.GGUFWriter(partial, "llama")
    try:
        describe(writer)
        for tensor in tensors:
            writer.add_tensor_info(
                tensor.name, tensor.shape, np.dtype(np.float32), tensor.size, tensor.kind
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        _data(writer, tensors)
        writer.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _data(writer: gguf.GGUFWriter, tensors: Sequence[Tensor]) -> None:
    assert writer.fout is not None
    file = writer.fout[0]
    writer.write_padding(file, file.tell())
    for tensor in tensors:
        written = sum(file.write(piece) for piece in tensor.pieces())
        assert written == tensor.size, f"{tensor.name}: {written} bytes instead of {tensor.size}"
        writer.write_padding(file, written)
