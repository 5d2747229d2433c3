"""What is known of an export: from what it is made, and how much of it is on the disk.

`NAME.export.json` beside the file, written anew at every note, kept when all is done: the same
command again then finds that nothing is left to do. The base's files are known by name, size and
time of the last change; of 16 GB nobody wants to wait for a hash.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training import files

_OF_MODELS = (
    "*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json",
    "adapter_config.json", "tokenizer*.json", "special_tokens_map.json", "chat_template*",
)  # fmt: skip
VERSION = 1
"""Of the writer: raised when the same inputs give other bytes."""


@dataclass(frozen=True)
class Record:
    """How far an export is.

    Attributes:
        key: a hash of everything that its bytes depend on.
        tensors: that are whole on the disk, by the name of the file.
        finished: all files have their final names.
    """

    key: str
    tensors: dict[str, int] = field(default_factory=dict)
    finished: bool = False


def path_of(target: Path) -> Path:
    """Where the record of a file lies."""
    return target.with_name(f"{target.name.removesuffix('.gguf')}.export.json")


def read(target: Path, key: str) -> Record:
    """The record of `target`; an empty one where there is none, or one of another export."""
    try:
        found = json.loads(path_of(target).read_text(encoding="utf-8"))
        record = Record(str(found["key"]), dict(found["tensors"]), bool(found["finished"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Record(key)
    return record if record.key == key else Record(key)


def write(target: Path, record: Record) -> None:
    """Note how far it is; what was noted before is on the disk or not, never half."""
    files.write_json(path_of(target), asdict(record))


def key_of(inputs: list[Path], options: dict[str, Any]) -> str:
    """A hash of inputs and options.

    Args:
        inputs: files; folders stand for the files in them.
        options: everything else that changes the bytes.
    """
    every = [file for path in inputs for file in _files(path)]
    known = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in every]
    return files.digest_of({"inputs": known, "options": options, "version": VERSION})


def _files(path: Path) -> list[Path]:
    """The files of a model; the result may lie in the same folder."""
    if not path.is_dir():
        return [path]
    return sorted({file for pattern in _OF_MODELS for file in path.glob(pattern)})
