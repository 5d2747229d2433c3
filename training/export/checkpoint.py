"""The weights of a model in safetensors, one file or several: read, and written, bit by bit.

Never all of a model is in memory: a tensor is read when it is asked for, and written with others
to a file of limited size. An index names the file of each tensor, as transformers writes and reads
it; ours adds the sha256 of each file, so that one small file stands for all of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from assistant.errors import ExportProblem
from training import files

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
WEIGHTS = "model*.safetensors"
"""What files of weights are called."""
SHARD_BYTES = 2_000_000_000
"""Of one file, about; a larger tensor has a file of its own."""
_BLOCK_VALUES = 4_194_304
_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
"""Of the types, as files of safetensors have them."""


@dataclass(frozen=True)
class Weights:
    """Where each tensor of a model lies.

    Attributes:
        folder: of the files.
        places: the file of each tensor, the tensors in the order of their names.
    """

    folder: Path
    places: Mapping[str, Path]

    def shape(self, name: str) -> tuple[int, ...]:
        """Of one tensor, without reading it."""
        with _opened(self.places[name]) as tensors:
            return tuple(_slice(tensors, self.places[name], name).get_shape())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all tensors, by name.

        Raises:
            ExportProblem: a file can not be read, or does not hold what the index says.
        """
        found: dict[str, tuple[int, ...]] = {}
        for file in dict.fromkeys(self.places.values()):
            with _opened(file) as tensors:
                here = (name for name, place in self.places.items() if place == file)
                found |= {name: tuple(_slice(tensors, file, name).get_shape()) for name in here}
        return {name: found[name] for name in self.places}

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor as it is stored."""
        with _opened(self.places[name]) as tensors:
            _slice(tensors, self.places[name], name)
            value: torch.Tensor = tensors.get_tensor(name)
        return value

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows of a tensor from `start` on, before `stop`, as they are stored."""
        with _opened(self.places[name]) as tensors:
            value: torch.Tensor = _slice(tensors, self.places[name], name)[start:stop]
        return value


def opened(folder: Path) -> Weights:
    """The weights in `folder`.

    Raises:
        ExportProblem: there are none in safetensors, a file is missing, or one can not be read.
    """
    places = {name: folder / file for name, file in _files(folder).items()}
    for file in sorted(set(places.values())):
        if not file.is_file():
            raise ExportProblem(f"{file} is missing, which {folder / INDEX} names")
    return Weights(folder, dict(sorted(places.items())))


def file_names(folder: Path) -> list[str]:
    """The files that hold weights in `folder`, the index among them.

    Raises:
        ExportProblem: there are none in safetensors.
    """
    index = [INDEX] if not (folder / SINGLE).is_file() else []
    return [*index, *sorted(set(_files(folder).values()))]


def _files(folder: Path) -> dict[str, str]:
    """The file of each tensor."""
    if (folder / SINGLE).is_file():
        with _opened(folder / SINGLE) as tensors:
            return dict.fromkeys(tensors.keys(), SINGLE)
    try:
        found = {
            str(name): str(file)
            for name, file in json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].items()
        }
    except FileNotFoundError as error:
        raise ExportProblem(
            f"{folder} holds no weights in safetensors ({SINGLE} or {INDEX})",
            hint="files of pickles (*.bin, *.pth) are not read, as they can run code: fetch the "
            "safetensors of the model",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportProblem(f"{folder / INDEX} can not be read: {error}") from error
    return found


def _opened(file: Path) -> Any:
    try:
        return safe_open(file, "pt")
    except (OSError, SafetensorError) as error:
        raise ExportProblem(f"{file} can not be read: {error}") from error


def _slice(tensors: Any, file: Path, name: str) -> Any:
    """A tensor of an open file, not read yet."""
    try:
        return tensors.get_slice(name)
    except SafetensorError as error:
        raise ExportProblem(
            f"{file} does not hold the tensor {name}, which {INDEX} says is there: {error}",
            hint="the index and the files are of two versions of the model: fetch it anew",
        ) from error


def write(
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    rows: Callable[[str, int, int], torch.Tensor],
    *,
    dtype: torch.dtype = torch.float32,
    shard_bytes: int = SHARD_BYTES,
    kept: Mapping[str, str] | None = None,
    on_bytes: Callable[[int], None] = lambda count: None,
    on_file: Callable[[str, str], None] = lambda name, sha256: None,
) -> None:
    """Write tensors to files of about `shard_bytes`, then the index.

    Block of rows by block of rows, so that no tensor is in memory as a whole.

    Args:
        folder: is made where it is missing; what an earlier writing left is replaced, all but
            `kept`.
        shapes: of every tensor, by name.
        rows: of a tensor, from one on, before another, float32.
        dtype: as which they are stored: float32, float16 or bfloat16.
        shard_bytes: size of one file.
        kept: sha256 of files that are there, whole, of the same tensors.
        on_bytes: told how many bytes more are there.
        on_file: told the name and the sha256 of a file that has been written.

    Raises:
        ExportProblem: a value is no number, or too large for the type.
    """
    width = dtype.itemsize
    plan = _shards(shapes, shard_bytes, width)
    names = [f"model-{n:05}-of-{len(plan):05}.safetensors" for n in range(1, len(plan) + 1)]
    digests = {name: digest for name, digest in (kept or {}).items() if name in names}
    _clear(folder, set(digests))
    for file, tensors in zip(names, plan, strict=True):
        if file in digests:
            on_bytes(width * sum(math.prod(shapes[name]) for name in tensors))
            continue
        with files.replacing(folder / file) as path, path.open("wb") as out:
            out.write(_header({name: shapes[name] for name in tensors}, dtype))
            for name in tensors:
                for part in _blocks(name, shapes[name], rows):
                    stored = part.to(dtype).contiguous()
                    if not torch.isfinite(stored).all():
                        raise ExportProblem(f"{name} has values that {dtype} has no place for")
                    out.write(stored.view(torch.uint8).numpy().data)
                    on_bytes(part.numel() * width)
        digests[file] = files.digest(folder / file)
        on_file(file, digests[file])
    where = {name: file for file, tensors in zip(names, plan, strict=True) for name in tensors}
    size = sum(width * math.prod(shape) for shape in shapes.values())
    files.write_json(
        folder / INDEX,
        {
            "metadata": {"total_size": size, "sha256": {file: digests[file] for file in names}},
            "weight_map": where,
        },
    )


def _clear(folder: Path, kept: set[str]) -> None:
    """Remove what an earlier writing left, all but the files that are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    for pattern in (WEIGHTS, WEIGHTS + files.PARTIAL):
        for old in folder.glob(pattern):
            if old.name not in kept:
                old.unlink()


def _header(shapes: Mapping[str, tuple[int, ...]], dtype: torch.dtype) -> bytes:
    """What a file begins with (https://huggingface.co/docs/safetensors, "Format")."""
    described: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, shape in shapes.items():
        end = start + dtype.itemsize * math.prod(shape)
        described[name] = {
            "dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [start, end],
        }  # fmt: skip
        start = end
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the values begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text


def _blocks(
    name: str, shape: tuple[int, ...], rows: Callable[[str, int, int], torch.Tensor]
) -> Iterator[torch.Tensor]:
    step = max(1, _BLOCK_VALUES // math.prod(shape[1:]))
    return (rows(name, at, min(at + step, shape[0])) for at in range(0, shape[0], step))


def _shards(shapes: Mapping[str, tuple[int, ...]], shard_bytes: int, width: int) -> list[list[str]]:
    """Which tensors go into which file, in the order of their names."""
    plan: list[list[str]] = [[]]
    room = shard_bytes
    for name in sorted(shapes):
        size = width * math.prod(shapes[name])
        if plan[-1] and size > room:
            plan.append([])
            room = shard_bytes
        plan[-1].append(name)
        room -= size
    return plan
