"""The merged model as a folder that transformers reads, for other programs than llama.cpp.

`assistant-export.json` in it says that it was written here, from what, and which of its files are
whole: an export that was interrupted goes on with the next file, and a folder without it, which
somebody else has made, is never written to.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from assistant.errors import ExportProblem
from training import files
from training.export import alone, checkpoint, space
from training.export import record as records
from training.export.merging import Merged
from training.export.space import Need
from training.progress import Progress

NAME = "safetensors"
"""As in `--type`."""
MARKER = "assistant-export.json"
_CONFIG = "config.json"
_TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_TOKENIZER = (
    "tokenizer*", "special_tokens_map.json", "chat_template*", "added_tokens.json", "vocab.json",
    "merges.txt",
)  # fmt: skip
_BESIDES = ("generation_config.json", "LICENSE*", "USE_POLICY*")


@dataclass(frozen=True)
class Folder:
    """A folder that is to be made.

    Attributes:
        merged: base and adapter.
        target: the folder.
        dtype: as which the weights are stored.
        inputs: files and folders that it is made from: when one changes, it is another export.
        besides: files that are copied into it, by their names there.
    """

    merged: Merged
    target: Path
    dtype: torch.dtype
    inputs: tuple[Path, ...]
    besides: dict[str, Path]

    @property
    def bytes(self) -> int:
        """Of the weights."""
        return self.dtype.itemsize * sum(map(math.prod, self.merged.shapes.values()))

    @property
    def key(self) -> str:
        """A hash of everything that its bytes depend on."""
        inputs = records.key_of([*self.inputs, *self.besides.values()])
        return files.digest_of([inputs, NAME, str(self.dtype), checkpoint.SHARD_BYTES])


@dataclass(frozen=True)
class Marker:
    """What a folder says of its own making.

    Attributes:
        key: a hash of everything that its bytes depend on.
        files: sha256 and size of the files of weights that are whole, by name.
        finished: everything is there.
    """

    key: str
    files: dict[str, tuple[str, int]] = field(default_factory=dict)
    finished: bool = False

    def whole(self, folder: Path) -> dict[str, str]:
        """The sha256 of the files that are there still, by name."""
        return {
            name: digest
            for name, (digest, size) in self.files.items()
            if (folder / name).is_file() and (folder / name).stat().st_size == size
        }


def plan(merged: Merged, target: Path, adapter: Path | None, tokenizer: Path) -> Folder:
    """A folder in the type of the base.

    Args:
        merged: base and adapter.
        target: the folder.
        adapter: that of the adapter, or None.
        tokenizer: the model's `tokenizer.json`, which need not be there.

    Raises:
        ExportProblem: it is the base's or the adapter's own, or holds a model of elsewhere; or
            the type is none that is written here.
    """
    described, base = merged.described, merged.base.folder
    name = str(described.get("dtype") or described.get("torch_dtype") or "float32")
    if name not in _TYPES:
        raise ExportProblem(f"weights of the type {name} are not written here")
    for own, what in ((base, "base"), (adapter, "adapter")):
        if own is not None and _same(target, own):
            raise ExportProblem(
                f"{target} is the {what} itself", hint="name another folder with --out"
            )
    besides = _besides(base, adapter, tokenizer)
    inputs = (base,) if adapter is None else (base, adapter)
    wanted = Folder(merged, target, _TYPES[name], inputs, besides)
    _check_ours(wanted)
    return wanted


def _same(one: Path, other: Path) -> bool:
    """Whether both are one folder, however they are reached."""
    if one.resolve() == other.resolve():
        return True
    return one.exists() and one.samefile(other)


def _besides(base: Path, adapter: Path | None, tokenizer: Path) -> dict[str, Path]:
    """What is copied, by name. An adapter with a tokenizer has all that belongs to it."""
    words = adapter if adapter is not None and tokenizer.parent == adapter else base
    found = {file.name: file for pattern in _BESIDES for file in sorted(base.glob(pattern))}
    found |= {file.name: file for pattern in _TOKENIZER for file in sorted(words.glob(pattern))}
    return found | ({tokenizer.name: tokenizer} if tokenizer.is_file() else {})


def _check_ours(wanted: Folder) -> None:
    """Refuse to write over what somebody else has made.

    Raises:
        ExportProblem: the folder holds a file that would be written, and no marker.
    """
    target = wanted.target
    if target.exists() and not target.is_dir():
        raise ExportProblem(f"{target} is no folder", hint="name another one with --out")
    # transformers would put an adapter that lies beside the model on top of it.
    names = (_CONFIG, checkpoint.INDEX, "adapter_config.json", *wanted.besides)
    there = [name for name in names if (target / name).exists()]
    there += sorted(path.name for path in target.glob(checkpoint.WEIGHTS))
    if there and _read(target) is None:
        raise ExportProblem(
            f"{target} holds {there[0]}, and was not written by `assistant export`",
            hint="name another folder with --out",
        )


def make(wanted: Folder, on_bytes: Callable[[int], None] = lambda count: None) -> bool:
    """Write the folder, or what is missing of it; False where nothing was.

    Its config.json comes last, so that half a folder is none.

    Raises:
        ExportProblem: there is no room, a weight can not be read, or another process writes it.
    """
    target = wanted.target
    with space.explained(target):
        space.make_folder(target.absolute().parent)
        with alone.held(target.resolve()):
            _check_ours(wanted)
            known, key = _read(target), wanted.key
            if known is None or known.key != key:
                known = Marker(key)
            kept = known.whole(target)
            if known.finished and _is_whole(wanted, known, kept):
                say = Progress("export", 1, "folder").say
                say(f"{target} is there already, of the same inputs")
                return False
            _check_room(wanted)
            _write(wanted, Marker(key, {name: known.files[name] for name in kept}), on_bytes)
    return True


def _is_whole(wanted: Folder, known: Marker, kept: dict[str, str]) -> bool:
    names = (_CONFIG, checkpoint.INDEX, *wanted.besides)
    return len(kept) == len(known.files) and all((wanted.target / n).is_file() for n in names)


def _check_room(wanted: Folder) -> None:
    """What is there is kept, or makes room."""
    there = sum(path.stat().st_size for path in wanted.target.glob(checkpoint.WEIGHTS))
    space.check_disk(Need(wanted.target / checkpoint.SINGLE, max(0, wanted.bytes - there)))


def _write(wanted: Folder, known: Marker, on_bytes: Callable[[int], None]) -> None:
    target, marker = wanted.target, known

    def on_file(name: str, sha256: str) -> None:
        nonlocal marker
        noted = marker.files | {name: (sha256, (target / name).stat().st_size)}
        marker = dataclasses.replace(marker, files=noted)
        files.write_json(target / MARKER, dataclasses.asdict(marker))

    (target / _CONFIG).unlink(missing_ok=True)
    files.write_json(target / MARKER, dataclasses.asdict(marker))
    checkpoint.write(
        target, wanted.merged.shapes, wanted.merged.rows, dtype=wanted.dtype,
        shard_bytes=checkpoint.SHARD_BYTES, kept=known.whole(target), on_bytes=on_bytes,
        on_file=on_file,
    )  # fmt: skip
    for name, file in wanted.besides.items():
        shutil.copyfile(file, target / name)
    files.write_json(target / _CONFIG, wanted.merged.described)
    finished = dataclasses.replace(marker, finished=True)
    files.write_json(target / MARKER, dataclasses.asdict(finished))


def _read(folder: Path) -> Marker | None:
    """What a folder says of its making; None where it says nothing."""
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        noted = {str(name): (str(sha), int(size)) for name, (sha, size) in found["files"].items()}
        return Marker(str(found["key"]), noted, bool(found["finished"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
