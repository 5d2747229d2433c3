"""The files of a project that an import means, and their outlines.

Nothing is imported: a module is looked for where Python would look if the project were installed or
run in place. What is installed elsewhere is not found, and not needed: the model knows it.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assistant.context.ignoring import NO_FILE, Access
from assistant.context.outline import Import, Outline, outline
from assistant.context.types import LeftOut

_KEPT = 256
_HIGHEST = 12
_SOURCE_FOLDERS = ("", "src", "lib", "python")


@dataclass
class Modules:
    """The Python files of one project.

    Args:
        access: which files may be read.
        buffers: the texts of files that are open in an editor, by their real paths; they stand for
            what is on the disk.
    """

    access: Access
    buffers: Mapping[Path, str] = field(default_factory=dict)
    _outlines: OrderedDict[Path, tuple[object, Outline]] = field(default_factory=OrderedDict)

    def outline(self, path: Path) -> Outline | LeftOut:
        """The outline of a file, from the cache where the file is as it was."""
        buffer = self.buffers.get(path)
        if reason := self.access.refusal(path):
            return LeftOut(self.access.name_of(path), reason)
        stamp: object = buffer if buffer is not None else _stamp(path)
        kept = self._outlines.get(path)
        if kept is None or kept[0] != stamp:
            text = buffer if buffer is not None else self.access.read(path)
            if isinstance(text, LeftOut):
                return text
            kept = self._outlines[path] = stamp, outline(text)
        self._outlines.move_to_end(path)
        while len(self._outlines) > _KEPT:
            self._outlines.popitem(last=False)
        return kept[1]

    def meant(self, one: Import, importer: Path) -> Iterator[tuple[Path, str]]:
        """The files that an import may mean, the likeliest first, and what of each.

        An empty second value stands for the module itself.
        """
        folders = _above(importer, one.level) if one.level else self._sources(importer)
        below = one.module.split(".") if one.module else []
        if not all(part.isidentifier() for part in (*below, one.name.replace("*", "") or "_")):
            return  # an import that is being written
        for folder in folders:
            base = folder.joinpath(*below)
            if one.name.isidentifier() and (file := _module(base / one.name)) is not None:
                yield file, ""
            if below or one.level:
                file = _module(base) if below else _existing(base / "__init__.py")
                if file is not None:
                    yield file, one.name

    def _sources(self, importer: Path) -> Iterator[Path]:
        """The folders that imports begin from."""
        seen = set()
        package = importer.parent
        for _ in range(_HIGHEST):
            if not (package / "__init__.py").exists() or package == self.access.root:
                break
            package = package.parent
        root = self.access.root
        for folder in (package, *(root / name for name in _SOURCE_FOLDERS), importer.parent):
            if folder not in seen and folder.is_relative_to(root):
                seen.add(folder)
                yield folder


def _above(importer: Path, level: int) -> tuple[Path, ...]:
    """Where the dots of a relative import lead."""
    parents = importer.parents
    return (parents[level - 1],) if level <= len(parents) else ()


def _module(base: Path) -> Path | None:
    for file in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if (found := _existing(file)) is not None:
            return found
    return _existing(base.with_name(f"{base.name}.pyi"))


def _existing(file: Path) -> Path | None:
    return Path(os.path.realpath(file)) if os.path.lexists(file) else None


def _stamp(path: Path) -> tuple[int, int] | str:
    try:
        status = path.stat()
    except OSError:
        return NO_FILE
    return status.st_mtime_ns, status.st_size
