"""Many short calls of one answer: one question carries the arguments of a page of them.

Where calls take microseconds, asking for each costs both processes more than the calls do. The
worker makes the calls of a page in their order and answers each as soon as it is made, with the
random id of the page and the call's place in it; each answer is awaited within the limits of its
own call: a clock starts when the answer before has been read. What the code can do with that is
read the arguments that wait for it; nothing that is expected is among them.
"""

from __future__ import annotations

import marshal
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from assistant.checks.program import Program

PAGE_BYTES = 32 << 10
"""Of arguments in one question, unless one call has more: half of what a pipe holds."""
_PAGE_ANSWERS = 64 << 20
"""Bytes that the answers to one question may have together: some thousand short ones."""
_NAP_S = 0.0002
"""After an answer that had to be waited for, so that many are read at once: to be woken for each
costs more than the call. A thousandth of a call's limit, and no part of it."""
_WAITED_S = 2e-5
"""What takes longer than this was not there yet."""


class Asked(NamedTuple):
    """One call; see `Program.call_encoded`. A tuple, for there are tens of thousands."""

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
            given out then, and no later call of its page is made. Only what is printed can not be
            told from what the next calls print: after an output limit the calls have to be
            repeated one by one.
    """
    clock, answer = time.monotonic, program.answer
    for page in _pages(asked):
        question, last = os.urandom(8).hex(), len(page) - 1
        packed = [one.packed for one in page]
        program.send(marshal.dumps((question, "calls", page[0].function, packed)))
        for number, one in enumerate(page):
            before = clock()
            got = answer(f"{question}.{number}", one.cpu_s, one.wall_s, one.max_bytes)
            waited = clock() - before > _WAITED_S
            yield one, got
            if waited and number != last:
                time.sleep(_NAP_S)


def _pages(asked: Iterable[Asked]) -> Iterator[list[Asked]]:
    """Calls of one function that go together, in their order."""
    page: list[Asked] = []
    size = most = 0
    for one in asked:
        size += len(one.packed)
        most += one.max_bytes
        full = size > PAGE_BYTES or most > _PAGE_ANSWERS
        if page and (full or one.function != page[0].function):
            yield page
            page, size, most = [], len(one.packed), one.max_bytes
        page.append(one)
    if page:
        yield page
