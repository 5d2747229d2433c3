"""A file in its project: what it is imported as, from where, and by which Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from assistant.sandbox import Project

_ENVIRONMENTS = (".venv", "venv")
_PACKAGE = "__init__.py"


def interpreter_of(root: Path) -> Path | None:
    """The Python of the virtual environment in the project's folder, if it has one."""
    found = [root / name / "bin" / "python" for name in _ENVIRONMENTS]
    return next((path for path in found if path.is_file()), None)


def project_at(root: Path, interpreter: Path | None = None) -> Project:
    """The project in `root`, with its own Python unless another one is named."""
    return Project(root, interpreter or interpreter_of(root))


@dataclass(frozen=True, slots=True)
class Module:
    """How a file is imported."""

    name: str
    """Dotted where it lies in a package."""
    folders: tuple[str, ...] = ()
    """Where modules of its project are found, its own first; empty outside of any project."""
    file: str = ""
    """Where it lies; empty when it is nowhere."""


def module_of(path: Path | None, root: Path | None) -> Module:
    """What an import calls the file at `path`; `answer` for what no import can name.

    A package reaches up as far as its folders hold an `__init__.py`, within `root`.
    """
    top = Path(os.path.realpath(root)) if root is not None else None
    whole = Path(os.path.realpath(path)) if path is not None else Path("answer.py")
    file = str(whole) if path is not None else ""
    if top is None or top not in whole.parents:
        name = whole.stem if whole.stem.isidentifier() else "answer"
        return Module(name, _folders(top, top) if top is not None else (), file)
    folder, parts = whole.parent, [] if whole.name == _PACKAGE else [whole.stem]
    while folder != top and (folder / _PACKAGE).is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    usable = bool(parts) and all(part.isidentifier() for part in parts)
    return Module(".".join(parts) if usable else "answer", _folders(folder, top), file)


def _folders(first: Path, root: Path) -> tuple[str, ...]:
    source = root / "src"
    wanted = [first, root, *([source] if source.is_dir() else [])]
    return tuple(dict.fromkeys(str(folder) for folder in wanted))
