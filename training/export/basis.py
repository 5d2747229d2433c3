"""Is a base the one that an adapter was tuned on? A matrix that fits is not yet the right one.

An adapter of a run says it by content: the run knows the sha256 of its student's files. One of
elsewhere has a name at most, which may be that of a copy: then a line says so, and no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import ExportProblem
from training import files, student, student_files
from training.chain import BASE_FILES, chain
from training.export import checkpoint
from training.export.metadata import Origin
from training.progress import Progress
from training.stages import Job, read_record

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ON_HUB = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_LARGE_BYTES = 1_000_000_000
"""From here on a hash takes seconds, and is told."""


@dataclass(frozen=True)
class _Known:
    """A file that a run was made with.

    Attributes:
        path: where it lay on the machine of the run.
        sha256: of its content.
        size: bytes, or None where nobody has noted it.
        changed_ns: time of its last change, when it was hashed.
    """

    path: Path
    sha256: str
    size: int | None = None
    changed_ns: int | None = None


def check(run: Job, base: Path) -> None:
    """Refuse a base that is not the one of the run.

    A file that is where the run has seen it, unchanged, is not hashed again.

    Raises:
        ExportProblem: configuration, tokenizer or weights differ.
    """
    known = _of_scratch(run) if run.settings.chain == "scratch" else _of_student(run)
    weights = {name for name in known if name.endswith(".safetensors")}
    here = {name for name in checkpoint.file_names(base) if name.endswith(".safetensors")}
    if weights != here:
        odd = sorted(weights ^ here)[0]
        raise _other(run, base, f"only one of them has {odd}")
    for name, one in known.items():
        path = base / name
        if not path.is_file():
            raise _other(run, base, f"{name} is missing")
        if not _same(path, one):
            raise _other(run, base, f"{name} is another")


def _other(run: Job, base: Path, why: str) -> ExportProblem:
    if run.settings.chain == "scratch":
        right = str(run.path("base"))
    else:
        found = student.describe(run)
        at = f" at {found.revision}" if found.revision else ""
        right = found.folder if Path(found.folder).is_dir() else f"DIR with {found.source}{at}"
    return ExportProblem(
        f"{base} is not the model that the run {run.out} has tuned: {why}",
        hint=f"--base {right}",
    )


def _of_student(run: Job) -> dict[str, _Known]:
    noted = student_files.noted(run).get("files", {})
    found = {}
    for name, sha256 in student.describe(run).files.items():
        one = noted.get(name, {})
        if one.get("sha256") == sha256:
            found[name] = _Known(Path(one["path"]), sha256, one["size"], one["changed_ns"])
        else:
            found[name] = _Known(Path(), sha256)
    return found


def _of_scratch(run: Job) -> dict[str, _Known]:
    """The run's own `base/`, by its record."""
    record = read_record(next(s for s in chain(run.settings) if s.name == "base"), run.out)
    sums = record["outputs"] if record is not None else {}
    return {
        Path(name).name: _Known(run.path(name), sums.get(name) or files.digest(run.path(name)))
        for name in BASE_FILES
        if name in sums or run.path(name).is_file()
    }


def _same(path: Path, known: _Known) -> bool:
    facts = path.stat()
    if known.size is not None and facts.st_size != known.size:
        return False
    # Without a time it is the run's own folder, which is what it is.
    unchanged = known.changed_ns in (None, facts.st_mtime_ns)
    if unchanged and known.path.is_file() and path.samefile(known.path):
        return True
    if facts.st_size >= _LARGE_BYTES:
        Progress("export", 1, "file").say(f"comparing {path} with the run's, by its sha256")
    return student_files.digest(path) == known.sha256


def origin(base: Path, adapter_config: Mapping[str, Any]) -> Origin:
    """Name and commit of a base of elsewhere.

    Args:
        base: its folder. The hub's cache names it; of another folder the name is all there is,
            and what the adapter calls it counts where that is the same name with an owner.
        adapter_config: of the adapter; empty without one.
    """
    found = _of_folder(base)
    named = _named(adapter_config)
    if found.revision or not _ON_HUB.fullmatch(named) or not _agrees(named, base):
        return found
    return Origin(named, str(adapter_config.get("revision") or ""))


def doubt(base: Path, adapter_config: Mapping[str, Any]) -> str:
    """What the adapter calls its base, where that is no name of this one; else empty."""
    named = _named(adapter_config)
    return "" if not named or _agrees(named, base) else named


def _named(adapter_config: Mapping[str, Any]) -> str:
    return str(adapter_config.get("base_model_name_or_path") or "").rstrip("/")


def _agrees(named: str, base: Path) -> bool:
    """Whether a name is one of the base's: ORG/NAME in full where the base has an owner too."""
    own = {_of_folder(base).source, base.absolute().name, _of_config(base)} - {""}
    short = _last(named)
    if _ON_HUB.fullmatch(named):
        return named in own or short in own
    return short in {_last(name) for name in own}


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _of_config(base: Path) -> str:
    try:
        found = json.loads((base / "config.json").read_text(encoding="utf-8"))
        return str(found.get("_name_or_path") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _of_folder(base: Path) -> Origin:
    """As the hub's cache names its folders, or a plain folder's name."""
    place = base.absolute()
    repository = place.parent.parent.name
    if place.parent.name == "snapshots" and repository.startswith("models--"):
        commit = place.name if _COMMIT.fullmatch(place.name) else ""
        return Origin("/".join(repository.split("--")[1:3]), commit)
    return Origin(place.name, "")
