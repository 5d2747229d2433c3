"""A function on its way to becoming a problem: code and reasoning, still without a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

Refs = tuple[str, ...]


@dataclass(frozen=True)
class Wording:
    """What the function does, in words.

    kind: `np` ("the sum of ..."), `clause` ("all of ... are even"), `verb` ("reverse ...") or
    `sequence` ("Take ..., keep ... and ...").
    """

    kind: str
    text: str


@dataclass(frozen=True)
class Draft:
    """A function body with everything needed to talk about it."""

    family: str
    primitives: tuple[str, ...]
    kinds: tuple[str, ...]
    """What each parameter takes (see `constants.sample`)."""
    params: tuple[str, ...]
    lines: tuple[str, ...]
    """Body without the outer indentation."""
    steps: tuple[str, ...]
    formulas: tuple[str, ...]
    out: str
    constants: tuple[Any, ...]
    base_name: str
    word: Callable[[Random | None, Refs], Wording]
    nonempty: bool = False
    helpers: tuple[str, ...] = ()
    """Lines before the function, such as an import."""
    edge: tuple[str, ...] = field(default=())
    """Edge cases worth naming beside the empty input."""
    recursive: bool = False
    """The body calls itself by name, written `{fn}` in `lines`."""

    def code(self, signature: str, name: str) -> str:
        """The whole function under the given `def` line."""
        body = [line.replace("{fn}", name) if self.recursive else line for line in self.lines]
        return "\n".join([*self.helpers, signature, *("    " + line for line in body)]) + "\n"

    def changed(self, **fields: Any) -> Draft:
        """The same with some fields replaced."""
        return replace(self, **fields)
