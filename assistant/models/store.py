"""Which models there are on this machine, and what a name means.

A name is, in this order: nothing or `starter` (the embedded model), the path of a `.gguf` file,
or a file below the models folder, with or without `.gguf`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant import locations
from assistant.errors import ModelProblem
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from assistant.models import gguf

EMBEDDED = "starter"
SUFFIX = ".gguf"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model file and the shortest name that resolves to it."""

    name: str
    path: Path
    size: int
    """Bytes of the file."""


@dataclass(frozen=True, slots=True)
class Info:
    """What a model file says of itself."""

    name: str
    path: Path
    size: int
    title: str
    architecture: str
    parameters: int
    context_length: int | None
    vocabulary_size: int
    format_name: str | None
    """Set for models that were trained here."""
    format_version: int | None
    chat: bool
    """It carries a chat template, so it can be asked."""
    tensor_types: tuple[str, ...]
    """Types of the weights, the most frequent first."""


def embedded_path() -> Path:
    """The model that comes with the package."""
    return Path(__file__).with_name(EMBEDDED + SUFFIX)


def resolve(name: str = "") -> Path:
    """The file that `name` means.

    Raises:
        ModelProblem: there is none; the message says what there is.
    """
    if name in ("", EMBEDDED):
        return _existing(embedded_path(), "The embedded model")
    given = Path(name).expanduser()
    if given.is_file():
        return given.absolute()
    for candidate in (name, name + SUFFIX):
        path = locations.models_dir() / candidate
        if path.is_file() and path.suffix == SUFFIX:
            return path
    if given.suffix == SUFFIX or given.is_absolute() or name.startswith(("./", "../", "~")):
        return _existing(given.absolute(), "The model file")
    known = ", ".join(entry.name for entry in entries()) or "none"
    raise ModelProblem(
        f"There is no model {name!r} on this machine; there are: {known}.",
        hint=f"Give the path of a .gguf file, or put it in {locations.models_dir()}.",
    )


def name_of(path: Path) -> str:
    """The shortest name of a model file."""
    if path == embedded_path():
        return EMBEDDED
    root = locations.models_dir()
    if path.is_relative_to(root):
        return path.relative_to(root).with_suffix("").as_posix()
    return str(path)


def entries() -> list[Entry]:
    """The embedded model and those in the models folder, by name."""
    found = [embedded_path()] if embedded_path().is_file() else []
    root = locations.models_dir()
    if root.is_dir():
        found += sorted(path for path in root.rglob("*" + SUFFIX) if path.is_file())
    return [Entry(name_of(path), path, path.stat().st_size) for path in found]


def info(name: str = "") -> Info:
    """Read the header of a model.

    Raises:
        ModelProblem: there is no such model, or its file is broken.
    """
    path = resolve(name)
    header = gguf.read_header(path)
    return Info(
        name=name_of(path),
        path=path,
        size=header.file_size,
        title=header.text("general.name") or path.stem,
        architecture=header.architecture,
        parameters=header.parameters,
        context_length=header.context_length,
        vocabulary_size=header.vocabulary_size,
        format_name=header.text(METADATA_NAME_KEY),
        format_version=header.integer(METADATA_VERSION_KEY),
        chat=header.text("tokenizer.chat_template") is not None,
        tensor_types=header.tensor_types,
    )


def use(name: str) -> Info:
    """Remember `name` as the model that answers, after a look at its file.

    Raises:
        ModelProblem: there is no such model, its file is broken, or it can not be asked.
        StateProblem: the settings can not be written.
    """
    from assistant.configfile import set_value

    chosen = info(name)
    if not chosen.chat:
        raise ModelProblem(
            f"{chosen.path} has no chat template, so it can not answer requests.",
            hint="Choose an instruction-tuned model.",
        )
    set_value("model", "" if chosen.name == EMBEDDED else chosen.name)
    return chosen


def _existing(path: Path, what: str) -> Path:
    if path.is_file():
        return path
    if path.is_dir():
        gguf.read_header(path)
    hint = "See which models there are: assistant models list"
    if path == embedded_path():
        hint = "Make it with: assistant train starter (or choose another: assistant models use)"
    raise ModelProblem(f"{what} {path} does not exist.", hint=hint)
