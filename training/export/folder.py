"""The merged model as a folder that transformers reads, for other programs than llama.cpp."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from assistant.errors import ExportProblem
from training import files
from training.export import checkpoint, space
from training.export.merging import Merged
from training.export.space import Need

NAME = "safetensors"
"""As in `--type`."""
_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_BESIDES = (
    "tokenizer*", "special_tokens_map.json", "generation_config.json", "chat_template*",
    "added_tokens.json", "vocab.json", "merges.txt", "LICENSE*", "USE_POLICY*",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder that is to be made.

    Attributes:
        merged: base and adapter.
        target: the folder.
        dtype: as which the weights are stored.
    """

    merged: Merged
    target: Path
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Of the weights."""
        return self.dtype.itemsize * sum(map(math.prod, self.merged.shapes.values()))


def plan(merged: Merged, target: Path) -> Folder:
    """A folder in the type of the base.

    Raises:
        ExportProblem: it is the base's own, or the type is none that is written here.
    """
    described = merged.described
    name = str(described.get("dtype") or described.get("torch_dtype") or "float32")
    if name not in _TYPES:
        raise ExportProblem(f"weights of the type {name} are not written here")
    if target.absolute() == merged.base.folder.absolute():
        raise ExportProblem(f"{target} is the base itself", hint="name another folder with --out")
    return Folder(merged, target, _TYPES[name])


def make(wanted: Folder, on_bytes: Callable[[int], None] = lambda count: None) -> None:
    """Write the folder; its config.json comes last, so that half a folder is none.

    Raises:
        ExportProblem: there is no room, or a weight can not be read.
    """
    space.check_disk(Need(wanted.target / checkpoint.SINGLE, wanted.bytes))
    (wanted.target / "config.json").unlink(missing_ok=True)
    with space.explained(wanted.target):
        checkpoint.write(
            wanted.target, wanted.merged.shapes, wanted.merged.rows,
            dtype=wanted.dtype, on_bytes=on_bytes,
        )  # fmt: skip
        for pattern in _BESIDES:
            for file in sorted(wanted.merged.base.folder.glob(pattern)):
                shutil.copyfile(file, wanted.target / file.name)
        files.write_json(wanted.target / "config.json", wanted.merged.described)
