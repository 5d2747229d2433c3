"""Many short calls of one answer: their questions are sent ahead, a page at a time.

Where calls take microseconds, waiting for each other costs both processes more than the calls do.
The worker takes one question at a time as ever, every answer carries the random id of its own
question, and each is awaited within the limits of its own call: a clock starts when the answer
before has been read. What the code can do with that is read the arguments that wait for it;
nothing that is expected is among them.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from assistant.checks.program import Program
from assistant.sandbox.process import AT_ONCE_BYTES

_HEADER = 4
"""Bytes around a frame."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call; see `Program.call_encoded`."""

    function: str
    packed: bytes
    cpu_s: float
    wall_s: float
    max_bytes: int
    about: Any = None
    """Whatever the caller wants back with the answer."""


def call_each(program: Program, asked: Iterable[Asked]) -> Iterator[tuple[Asked, bytes]]:
    """As `Program.call_encoded` for each of several calls.

    Raises:
        Stopped: as soon as a call raises or gives no plain data; what was answered before has been
            given out then. Only what is printed can not be told from what the next calls print:
            after an output limit the calls have to be repeated one by one.
    """
    waiting: list[tuple[str, bytes, Asked]] = []
    size = 0
    for one in asked:
        question = os.urandom(8).hex()
        frame = marshal.dumps((question, "call", one.function, one.packed))
        size += _HEADER + len(frame)
        if waiting and size > AT_ONCE_BYTES:
            yield from _answers(program, waiting)
            waiting, size = [], _HEADER + len(frame)
        waiting.append((question, frame, one))
    if waiting:
        yield from _answers(program, waiting)


def _answers(
    program: Program, waiting: list[tuple[str, bytes, Asked]]
) -> Iterator[tuple[Asked, bytes]]:
    program.send(*(frame for _, frame, _ in waiting))
    for question, _, one in waiting:
        yield one, program.answer(question, one.cpu_s, one.wall_s, one.max_bytes)
