"""What is known of an export: from what it is made, and how much of it is on the disk.

`NAME.export.json` beside the file, written anew at every note, kept when all is done: the same
command again then finds that nothing is left to do. The base's files are known by name, size and
time of the last change; of 16 GB nobody wants to wait for a hash.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

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
        results: size and time of the last change (ns) of the files, when all had their final names;
            empty before.
    """

    key: str
    tensors: dict[str, int] = field(default_factory=dict)
    results: dict[str, tuple[int, int]] = field(default_factory=dict)

    def is_finished(self, folder: Path) -> bool:
        """Whether just these results are in `folder`, and nobody has changed them since."""
        return bool(self.results) and all(
            known == fingerprint(folder / name) for name, known in self.results.items()
        )


def path_of(target: Path) -> Path:
    """Where the record of a file lies."""
    return target.with_name(f"{target.name.removesuffix('.gguf')}.export.json")


def read(target: Path, key: str) -> Record:
    """The record of `target`; an empty one where there is none, or one of another export."""
    try:
        found = json.loads(path_of(target).read_text(encoding="utf-8"))
        results = {name: (int(size), int(at)) for name, (size, at) in found["results"].items()}
        record = Record(str(found["key"]), dict(found["tensors"]), results)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Record(key)
    return record if record.key == key else Record(key)


def write(target: Path, record: Record) -> None:
    """Note how far it is; what was noted before is on the disk or not, never half."""
    files.write_json(path_of(target), asdict(record))


def fingerprint(path: Path) -> tuple[int, int] | None:
    """Size and time of the last change (ns) of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def finished(record: Record, paths: Iterable[Path]) -> Record:
    """The record of an export whose files all have their final names."""
    results = {path.name: fingerprint(path) for path in paths}
    return replace(record, results={name: found for name, found in results.items() if found})


def key_of(inputs: list[Path]) -> str:
    """A hash of names, sizes and times of files; folders stand for the model's files in them."""
    every = [file for path in inputs for file in _files(path)]
    known = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in every]
    return files.digest_of({"inputs": known, "version": VERSION})


def _files(path: Path) -> list[Path]:
    """The files of a model; the result may lie in the same folder."""
    if not path.is_dir():
        return [path]
    return sorted({file for pattern in _OF_MODELS for file in path.glob(pattern)})
