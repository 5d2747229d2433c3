"""What a model is called: `org/repo[:quant]`, `org/repo/file.gguf`, split files, quantisations.

A name comes from a command line, a list of files from a server. Neither is trusted: what could
leave the folder that it is meant for is refused here, before any path is built from it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.errors import ModelProblem

SUFFIX = ".gguf"
PLUS = "+"
"""Between a model and the adapter that is attached to it."""
DEFAULT_QUANTS = ("Q4_K_M", "Q8_0")
"""What `org/repo` means without a quantisation: the first of these that it has."""

_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_QUANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_SPLIT = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_TAG = re.compile(r"[-.]((?:UD-)?[A-Za-z0-9_]+)$")
_LOOKS_LIKE_QUANT = re.compile(r"(UD-)?(I?Q\d|T?Q\d|BF16|F16|F32|MXFP4|NVFP4)", re.IGNORECASE)
# Not models, although their name ends in .gguf: projectors, statistics, drafts.
_OTHERS = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")
_FORBIDDEN = set('\\:*?"<>|')
MAX_SPLITS = 999


@dataclass(frozen=True, slots=True)
class Reference:
    """A model of the hub: a repository, and which of its files."""

    repository: str
    """`org/repo`."""
    quant: str = ""
    file: str = ""
    """Path in the repository; with it there is no `quant`."""

    def __str__(self) -> str:
        if self.file:
            return f"{self.repository}/{self.file}"
        return f"{self.repository}:{self.quant}" if self.quant else self.repository


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model on this machine, and the adapter that is attached to it."""

    path: Path
    """Of its file; of the first one when it is split."""
    adapter: Path | None = None

    @property
    def file_name(self) -> str:
        """For people: `base.gguf`, or `base.gguf+adapter.gguf`."""
        return f"{self.path.name}{PLUS}{self.adapter.name}" if self.adapter else self.path.name

    def __str__(self) -> str:
        return f"{self.path}{PLUS}{self.adapter}" if self.adapter else str(self.path)

    def is_same(self, other: Chosen) -> bool:
        """Whether both are the same files, by whatever name."""
        return _real(self) == _real(other)


def _real(chosen: Chosen) -> tuple[str, str]:
    adapter = os.path.realpath(chosen.adapter) if chosen.adapter is not None else ""
    return os.path.realpath(chosen.path), adapter


@dataclass(frozen=True, slots=True)
class Split:
    """The place of a file among those that a model was split into."""

    stem: str
    number: int
    count: int

    def part(self, number: int) -> str:
        """The name of another part."""
        return f"{self.stem}-{number:05}-of-{self.count:05}{SUFFIX}"


def parse(name: str) -> Reference | None:
    """The reference that `name` writes, or None when it has another form.

    Raises:
        ModelProblem: it has the form, and can not be meant: a path out of its folder, say.
    """
    if "/" not in name or name.startswith(("/", ".", "~")):
        return None
    organisation, _, rest = name.partition("/")
    if rest.lower().endswith(SUFFIX):
        if "/" not in rest:
            return None  # a file in a folder
        repository, _, file = rest.partition("/")
        return Reference(_repository(name, organisation, repository), file=safe_file(file))
    repository, colon, quant = rest.partition(":")
    if colon and not _QUANT.fullmatch(quant):
        raise _not_a_name(name, f"{quant!r} is no quantisation such as Q4_K_M")
    return Reference(_repository(name, organisation, repository), quant)


def _repository(name: str, organisation: str, repository: str) -> str:
    for part in (organisation, repository):
        if not _PART.fullmatch(part) or ".." in part or "--" in part:
            raise _not_a_name(name, f"{part!r} is no name of an organisation or a repository")
    return f"{organisation}/{repository}"


def _not_a_name(name: str, why: str) -> ModelProblem:
    return ModelProblem(
        f"{name!r} names no model: {why}.",
        hint="Write org/repo, org/repo:QUANT, org/repo/file.gguf, or the path of a .gguf file.",
    )


def safe_file(file: str) -> str:
    """`file`, a path inside of a repository, if it can not leave it on any system.

    Raises:
        ModelProblem: it could, or is no .gguf file.
    """
    parts = file.split("/")
    # `.` and `..`, and what Windows takes for a name without the dots and blanks at its end.
    bad = any(not part or part.endswith((".", " ")) for part in parts)
    if bad or _FORBIDDEN & set(file) or not file.isprintable() or len(file) > 512:
        raise ModelProblem(
            f"The file name {file!r} is refused: it could lead out of its folder.",
            hint="Name a file as the repository lists it.",
        )
    if not file.lower().endswith(SUFFIX):
        raise ModelProblem(f"{file!r} is no {SUFFIX} file.")
    return file


def split_of(file: str) -> Split | None:
    """Which part of a split model `file` is, or None when it is a model by itself."""
    found = _SPLIT.fullmatch(file)
    if found is None:
        return None
    number, count = int(found["number"]), int(found["count"])
    return Split(found["stem"], number, count) if 1 <= number <= count <= MAX_SPLITS else None


def parts_of(file: str) -> list[str]:
    """The names of all parts of the model that `file` belongs to, in order."""
    split = split_of(file)
    return [split.part(number + 1) for number in range(split.count)] if split else [file]


def quant_of(file: str) -> str:
    """The quantisation in a file's name, in upper case, or ''."""
    split = split_of(file)
    stem = split.stem if split else file[: -len(SUFFIX)]
    found = _TAG.search(stem.rpartition("/")[2])
    return found[1].upper() if found and _LOOKS_LIKE_QUANT.match(found[1]) else ""


def is_first_of_model(file: str) -> bool:
    """Whether `file` is a model, or the first part of one: nobody loads the others."""
    base = file.rpartition("/")[2].lower()
    if not base.endswith(SUFFIX) or any(other in base for other in _OTHERS):
        return False
    split = split_of(file)
    return split is None or split.number == 1


def choose(files: Iterable[str], wanted: Reference) -> list[str]:
    """The files of the model that `wanted` means: one, or the parts of a split one in order.

    Raises:
        ModelProblem: there is none, several, or a part is missing; the message lists what there is.
    """
    there = set(files)
    parts = parts_of(_first(sorted(there, key=lambda file: (len(file), file)), wanted))
    missing = [part for part in parts if part not in there]
    if missing:
        raise ModelProblem(
            f"{wanted} is split into {len(parts)} files, and {missing[0]} is not there.",
            hint="Get all parts, or choose another quantisation.",
        )
    return parts


def _first(files: list[str], wanted: Reference) -> str:
    models = [file for file in files if is_first_of_model(file)]
    if wanted.file:
        first = parts_of(wanted.file)[0]
        if first in files:
            return first
    for quant in (wanted.quant,) if wanted.quant else () if wanted.file else DEFAULT_QUANTS:
        pattern = re.compile(rf"(?:^|[-._/]){re.escape(quant)}[.-]", re.IGNORECASE)
        for file in models:
            if pattern.search(file):
                return file
    if len(models) == 1 and not (wanted.quant or wanted.file):
        return models[0]
    known = ", ".join(quant_of(file) or file for file in models[:24]) or "no model in GGUF format"
    what = "no such file" if wanted.file else f"no {wanted.quant or ' or '.join(DEFAULT_QUANTS)}"
    raise ModelProblem(
        f"{wanted.repository} has {what}; there is: {known}.",
        hint=f"Choose one: assistant models pull {wanted.repository}:QUANT (or /FILE{SUFFIX})",
    )


def shortest(repository: str, file: str, files: Iterable[str]) -> str:
    """The shortest name under which `choose` finds `file` among `files`."""
    quant = quant_of(file)
    if quant:
        short = Reference(repository, quant)
        try:
            if choose(files, short)[0] == file:
                return str(short)
        except ModelProblem:
            pass
    return str(replace(Reference(repository), file=file))
