"""Pages of calls: each answer belongs to its own call, whatever happens in the middle of a page."""

from __future__ import annotations

import decimal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.checks import ahead
from assistant.checks.ahead import PAGE_BYTES, Asked, call_each
from assistant.checks.program import Program, Stopped, packed_arguments
from assistant.checks.values import decode
from assistant.events import Outcome
from assistant.sandbox import Limits, layers

pytestmark = pytest.mark.skipif(not layers(), reason="no layer of isolation works here")

QUICK = Limits(cpu_s=20, wall_s=60)


def asked(*arguments: Any, function: str = "f", about: Any = None, cpu_s: float = 1.0) -> Asked:
    return Asked(function, packed_arguments(arguments), cpu_s, 20.0, 1 << 20, about)


def answers(program: Program, calls: list[Asked]) -> tuple[list[Any], Stopped | None]:
    """What came, in order, and what ended it; each has to come with its own call."""
    found: list[Any] = []
    try:
        for call, text in call_each(program, calls):
            assert call is calls[len(found)]
            found.append(decode(text))
    except Stopped as stopped:
        return found, stopped
    return found, None


@pytest.fixture(scope="module")
def echo() -> Iterator[Program]:
    with Program("def f(*a): return a\ndef g(*a): return [a]\n", QUICK) as program:
        program.load()
        yield program


_size = st.one_of(
    st.integers(0, 50), st.integers(PAGE_BYTES - 60, PAGE_BYTES + 60), st.just(PAGE_BYTES // 2)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ffffg"), _size), max_size=40))
def test_every_answer_is_that_of_its_call(echo: Program, shapes: list[tuple[str, int]]) -> None:
    calls = [asked(n, "x" * size, function=f) for n, (f, size) in enumerate(shapes)]
    found, stopped = answers(echo, calls)
    plain = [(n, "x" * size) for n, (_, size) in enumerate(shapes)]
    assert found == [one if f == "f" else [one] for one, (f, _) in zip(plain, shapes, strict=True)]
    assert stopped is None


@given(st.lists(st.tuples(st.sampled_from("ffffg"), _size, st.integers(0, 1 << 25)), max_size=60))
def test_pages_hold_all_calls_in_their_order(shapes: list[tuple[str, int, int]]) -> None:
    calls = [Asked(f, bytes(size), 1.0, 1.0, most) for f, size, most in shapes]
    pages = list(ahead._pages(iter(calls)))
    assert [one for page in pages for one in page] == calls
    for page in pages:
        assert len({one.function for one in page}) == 1
        assert len(page) == 1 or sum(len(one.packed) for one in page) <= PAGE_BYTES
        assert len(page) == 1 or sum(one.max_bytes for one in page) <= ahead._PAGE_ANSWERS


FIT = PAGE_BYTES // len(packed_arguments((0, "x" * 1000)))
"""Calls of that size in a page."""
TROUBLE = {
    "raise KeyError(1)": (Outcome.ERROR, "KeyError"),
    "return object()": (Outcome.ERROR, "TypeError"),
    "import os; os._exit(0)": (Outcome.CRASH, ""),
    "while True: pass": (Outcome.TIMEOUT, ""),
    "import time; time.sleep(99)": (Outcome.TIMEOUT, ""),
    "print('x' * 99_999)": (Outcome.OUTPUT_LIMIT, ""),
    "return 'x' * (2 << 20)": (Outcome.PROTOCOL_VIOLATION, ""),
}


# Where it costs a limit's time, in the middle and after a border only.
AT = [
    (code, at)
    for code, (outcome, _) in TROUBLE.items()
    for at in ([1, FIT] if outcome is Outcome.TIMEOUT else [0, 1, FIT - 1, FIT, FIT + 1, 2 * FIT])
]


@pytest.mark.parametrize(("code", "at"), AT)
def test_trouble_belongs_to_the_call_that_made_it(code: str, at: int) -> None:
    source = f"def f(n, text):\n    if n == {at}:\n        {code}\n    return n\n"
    calls = [asked(n, "x" * 1000, cpu_s=0.2)._replace(wall_s=0.5) for n in range(2 * FIT + 2)]
    with Program(source, QUICK) as program:
        program.load()
        found, stopped = answers(program, calls)
    assert stopped is not None
    assert (stopped.outcome, stopped.kind) == TROUBLE[code]
    if stopped.outcome is Outcome.OUTPUT_LIMIT:  # which call printed is found out one by one
        assert found == list(range(len(found)))
    else:
        assert found == list(range(at))


def test_no_call_is_made_after_one_that_raised() -> None:
    source = "made = []\ndef f(n):\n    made.append(n)\n    return 1 // n\ndef g(): return made\n"
    with Program(source, QUICK) as program:
        program.load()
        found, stopped = answers(program, [asked(n) for n in (1, 2, 0, 3)])
        assert (found, stopped and stopped.kind) == ([1, 0], "ZeroDivisionError")
        assert program.call("g") == [1, 2, 0]
        assert answers(program, [asked(1)]) == ([1], None)


SAY = """
import sys
def reach(name):
    frame = sys._getframe()
    while name not in frame.f_locals and name not in frame.f_globals:
        frame = frame.f_back
    return frame.f_locals.get(name) or frame.f_globals[name]
send = reach("send")
def f(n):
    if n == 3:
        send(SAID)
    return n
"""


@pytest.mark.parametrize(
    ("said", "honest"),
    [
        # The right answer ahead of time: the worker's own is none to the next question.
        ("b'{\"id\": \"' + reach('question').encode() + b'.3\", \"value\": 3}'", 4),
        ("b'{\"id\": \"' + reach('question').encode() + b'.4\", \"value\": 4}'", 3),
        ("b'{\"id\": \"' + reach('question').encode() + b'.2\", \"value\": 3}'", 3),
        ("b'{\"id\": \"' + reach('question').encode() + b'\", \"value\": 3}'", 3),
        ('b\'{"id": "0123456789abcdef.3", "value": 3}\'', 3),
        ("b''", 3),
    ],
)
def test_an_answer_to_another_call_is_none(said: str, honest: int) -> None:
    with Program(SAY.replace("SAID", said), QUICK) as program:
        program.load()
        found, stopped = answers(program, [asked(n) for n in range(9)])
    assert found == list(range(honest))
    assert stopped is not None
    assert stopped.outcome is Outcome.PROTOCOL_VIOLATION


def test_ids_differ_from_page_to_page() -> None:
    said = 'b\'{"id": "\' + first.encode() + b\'.0", "value": 3}\''
    source = SAY.replace("SAID", said).replace("    if", "    global first\n    if", 1)
    source = source.replace("    return n", "    first = reach('question')\n    return n")
    with Program(source, QUICK) as program:
        program.load()
        assert answers(program, [asked(1), asked(2)])[0] == [1, 2]
        found, stopped = answers(program, [asked(3)])
    assert found == []
    assert stopped is not None
    assert stopped.outcome is Outcome.PROTOCOL_VIOLATION


def test_what_is_expected_never_goes_in() -> None:
    # `about` is the parent's own: of what it says, no frame holds a word.
    source = """
import sys
def f(n):
    seen = []
    frame = sys._getframe()
    while frame:
        seen.append(repr((frame.f_locals, frame.f_globals)))
        frame = frame.f_back
    return "".join(("zyx", "wvu")) in "".join(seen)
"""
    with Program(source, QUICK) as program:
        program.load()
        found, _ = answers(program, [asked(n, about="zyxwvu", cpu_s=9) for n in range(2)])
    assert found == [False] * 2


def test_calls_are_as_one_by_one() -> None:
    source = """
async def wait(n): return n + 1
def f(x):
    global f
    f = lambda x: "another"
    x.append(1)
    return x
class A:
    @staticmethod
    def g(x): return x
"""
    calls = [
        asked([0]),
        asked([0]),
        asked(4, function="wait"),
        asked(decimal.Decimal("1.5"), function="A.g"),
        asked(function="A.h"),
    ]
    with Program(source, QUICK) as program:
        program.load()
        found, stopped = answers(program, calls)
    assert found == [[0, 1], "another", 5, decimal.Decimal("1.5")]
    assert (stopped and stopped.kind) == "AttributeError"
    with Program("x = 1", QUICK) as program:
        program.load()
        found, stopped = answers(program, [asked(1), asked(2)])
    assert (found, stopped and stopped.detail) == ([], "NameError: name 'f' is not defined")


def test_keeping_arguments_changes_no_later_ones() -> None:
    source = "kept = []\ndef f(x):\n    kept.append(x)\n    x.append(len(kept))\n    return x\n"
    with Program(source, QUICK) as program:
        program.load()
        found, _ = answers(program, [asked([7])] * 3)
    assert found == [[7, 1], [7, 2], [7, 3]]


def test_recursion_is_as_deep_as_in_a_program_of_its_own() -> None:
    source = "def f(n=1):\n    try: return f(n + 1)\n    except RecursionError: return n\n"
    bare = subprocess.run([sys.executable, "-c", source + "print(f())"], capture_output=True)
    with Program(source, QUICK) as program:
        program.load()
        found, _ = answers(program, [asked(), asked()])
    assert all(int(bare.stdout) <= one <= int(bare.stdout) + 4 for one in found)
