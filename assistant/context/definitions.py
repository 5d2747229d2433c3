"""What a place in a Python file can reach: definitions beside it, and those that it imports.

The order says what helps most. First comes what stands around the place and what its own text
names; then what those name in their turn; then what the file imports or defines otherwise, by its
signature alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assistant.context.modules import Modules
from assistant.context.outline import Definition, Import, Outline, outline, words
from assistant.context.types import Found, LeftOut, Offer

AROUND = "the class around it"
BESIDE = "defined beside it"
IMPORTED = "imported here"
FARTHER = "used by what is above or imported"
_MOST_HOPS = 4
"""From a package's `__init__` to the module that defines the name."""
_MOST = 40
"""Offers; what comes after them would not find room."""
_NEAR_LINES = 20


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file that something is wanted for."""

    path: Path
    """Where the file really lies."""
    text: str = field(repr=False)
    """The file as it is in the editor."""
    start: int
    end: int
    """In characters; the same as `start` for a cursor."""
    language: str = "python"


@dataclass(frozen=True, slots=True)
class _Reached:
    """A definition, and the file that it is in."""

    path: Path
    definition: Definition
    why: str
    whole: bool = True
    """With its docstring, not by its signature alone."""


def reachable(spot: Spot, modules: Modules) -> Found:
    """The definitions that a place can reach, the most important last."""
    return _Search(spot, modules).found()


def around(spot: Spot, file: Outline) -> tuple[int, int]:
    """What counts as the place's own text: the region, or the function around the cursor."""
    if spot.start != spot.end:
        return spot.start, spot.end
    inside = [one for one in file.definitions if one.start <= spot.start <= one.end]
    if inside:
        smallest = min(inside, key=lambda one: one.end - one.start)
        return smallest.start, smallest.end
    above = spot.text[: spot.start].splitlines(keepends=True)[-_NEAR_LINES:]
    return spot.start - sum(map(len, above)), spot.end


class _Search:
    """One search; what is found first counts more."""

    def __init__(self, spot: Spot, modules: Modules) -> None:
        self._spot = spot
        self._modules = modules
        self._file = outline(spot.text)
        self._start, self._end = around(spot, self._file)
        self._seen: set[tuple[Path, str]] = set()
        self._reached: list[_Reached] = []
        self._left_out: dict[str, LeftOut] = {}
        self._outlines: dict[Path, Outline | LeftOut] = {}

    def found(self) -> Found:
        """All of it."""
        own = self._spot.text[self._start : self._end]
        inner = outline(own).imports
        imports = (*self._file.imports, *inner)
        beside = Outline(imports, self._file.definitions)
        if (above := self._file.around(self._start)) is not None:
            self._add(self._spot.path, above, AROUND)
        self._follow(self._spot.path, beside, own, BESIDE, IMPORTED)
        for one in tuple(self._reached):
            file = beside if one.path == self._spot.path else self._outline(one.path)
            if isinstance(file, Outline):
                self._follow(one.path, file, one.definition.shown, FARTHER, FARTHER)
        self._rest(beside)
        return Found(tuple(self._offers()), tuple(self._left_out.values()))

    def _follow(self, path: Path, file: Outline, text: str, beside: str, imported: str) -> None:
        """Everything that a text in a file names."""
        named = words(text)
        for one in file.top:
            if one.name in named:
                self._add(path, one, beside)
        for each in file.imports:
            if each.bound == "*" or each.bound.partition(".")[0] in named:
                for target, definition in self._resolved(each, path, text, named):
                    self._add(target, definition, imported)

    def _rest(self, file: Outline) -> None:
        """What the file has beside: by its signature, should there be room."""
        for one in file.imports:
            for target, definition in self._resolved(one, self._spot.path, "", frozenset()):
                self._add(target, definition, IMPORTED, whole=False)
        for definition in file.top:
            self._add(self._spot.path, definition, BESIDE, whole=False)

    def _add(self, path: Path, definition: Definition, why: str, *, whole: bool = True) -> None:
        key = path, definition.name
        own = path == self._spot.path
        mine = own and definition.start < self._end and self._start < definition.end
        if key not in self._seen and (why == AROUND or not mine) and len(self._reached) < _MOST:
            self._seen.add(key)
            self._reached.append(_Reached(path, definition, why, whole))

    def _resolved(
        self, one: Import, importer: Path, text: str, named: frozenset[str], hops: int = _MOST_HOPS
    ) -> Iterator[tuple[Path, Definition]]:
        """What an import gives to a text that uses it."""
        for path, name in self._modules.meant(one, importer):
            file = self._outline(path)
            if isinstance(file, LeftOut):
                self._left_out[file.name] = file
                continue
            if not name:
                wanted = _attributes(one.bound, text)
            else:
                wanted = named if name == "*" else frozenset((name,))
            got = [found for each in sorted(wanted) for found in self._defined(path, each, hops)]
            yield from got
            if got or not name:
                return

    def _defined(self, path: Path, name: str, hops: int) -> Iterator[tuple[Path, Definition]]:
        """A name's definition in a module, or where the module has it from."""
        file = self._outline(path)
        if isinstance(file, LeftOut):
            return
        if (found := file.find(name)) is not None:
            yield path, found
        elif hops:
            for one in file.imports:
                if one.bound in (name, "*") and one.name:
                    wanted = frozenset((name,))
                    yield from self._resolved(one, path, "", wanted, hops - 1)

    def _outline(self, path: Path) -> Outline | LeftOut:
        """One look at a file is enough for one search."""
        if path not in self._outlines:
            self._outlines[path] = self._modules.outline(path)
        return self._outlines[path]

    def _offers(self) -> Iterator[Offer]:
        """From the least important to the most; those of one file and reason in its order."""
        groups: dict[tuple[str, Path, bool], list[Definition]] = {}
        for one in self._reached:
            groups.setdefault((one.why, one.path, one.whole), []).append(one.definition)
        for (why, path, whole), definitions in reversed(groups.items()):
            name = self._modules.access.name_of(path)
            for each in sorted(definitions, key=lambda definition: definition.start):
                texts = (each.shown, each.short) if whole else (each.short,)
                yield Offer(name, why, tuple(dict.fromkeys(texts)))


def _attributes(bound: str, text: str) -> frozenset[str]:
    """What a text uses of a module: `f` in `bound.f`."""
    return frozenset(re.findall(rf"\b{re.escape(bound)}\s*\.\s*([^\W\d]\w*)", text))
