"""What one program of the corpus is: its source, the calls, and the verdicts that are right."""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.sandbox import Layer


class Witness(enum.Enum):
    """What on the host would show that a program got out."""

    NONE = "none"
    SECRET = "the answer is the secret"
    """The parent expects a text that exists outside only: a pass is the escape."""
    CONTACT = "a listener heard from it"
    VICTIM = "a process of the host was touched"
    FOLDER = "a folder of the host was changed"


class Token(enum.Enum):
    """A value that exists once the world is there."""

    SECRET = "secret"


@dataclass(frozen=True, slots=True)
class Case:
    """One call of `f` and the value that is right."""

    args: tuple[Any, ...]
    expected: Any


SUCCESSOR = (Case((1,), 2), Case((41,), 42), Case((-5,), -4))
"""A correct `f` answers x + 1."""
STOLEN = (Case((0,), Token.SECRET),)
"""Right is the secret of the host: no contained program can answer so."""
CLEAN = (Case((0,), []),)
"""The program lists what it was able to do: right is nothing."""

SHORT = {"cpu_s": 0.4, "wall_s": 0.7}
"""Limits, in seconds, for what ends by its time anyway; they count from when Python is there."""
SMALL = {"memory_mb": 128}

NOT_PASS = ("wrong", "error *", "crash", "protocol violation", "timeout", "memory", "output limit")
REFUSED = ("error PermissionError", "error OSError", "error FileNotFoundError")


@dataclass(frozen=True, slots=True)
class Hostile:
    """A program with hostile or harmless intent; a correct `f` is x + 1 unless `calls` say else.

    `bubblewrap` and `landlock` list the verdicts that are right in that layer: an outcome, for
    an error with the name of the exception after it (`error TypeError`, `error *`). Without
    `landlock` both lists are the same. `tame` says that the program may run without any sandbox:
    it harms nothing but the witness that the test made. `within_s` is how long the verdict may
    take, in seconds, by default a little more than the limits say. With `tests` it is judged by
    these and not by `calls`.
    """

    name: str
    kind: str
    intent: str
    source: str
    bubblewrap: tuple[str, ...]
    landlock: tuple[str, ...] = ()
    calls: tuple[Case, ...] = SUCCESSOR
    witness: Witness = Witness.NONE
    tame: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    call_cpu_s: float | None = None
    call_wall_s: float | None = None
    within_s: float | None = None
    tests: str = ""

    def allowed(self, layer: Layer) -> tuple[str, ...]:
        """The verdicts that are right in `layer`."""
        if layer is Layer.BUBBLEWRAP:
            return self.bubblewrap
        return self.landlock or self.bubblewrap


def matches(verdict: str, allowed: tuple[str, ...]) -> bool:
    """True when `verdict` is one of the allowed ones."""
    return any(fnmatch.fnmatchcase(verdict, one) for one in allowed)
