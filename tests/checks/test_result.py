"""No text of a stranger reaches a verdict as it is, whichever way it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.checks import run_tests
from assistant.checks.calls import Call, judge_calls
from assistant.checks.doctests import judge_doctests
from assistant.checks.program import Program, Stopped
from assistant.checks.result import MOST_DETAIL, MOST_KIND, NOTHING_RAN, CheckResult, shown
from assistant.checks.stdio import StdioTest, judge_stdio
from assistant.checks.testfile import parse_tests
from assistant.events import Outcome
from assistant.sandbox import layers

HOSTILE = "a\x1b[2J\r\n\t\x00\x08\x9b31m\u202e\u2066\u2028\ud800\U000e0041é日"
_sandboxed = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")


@given(st.text(), st.integers(3, 50))
def test_what_is_shown_is_printable_bounded_and_shown_alike_again(text: str, most: int) -> None:
    told = shown(text, most)

    assert told.isprintable() and len(told) <= most
    assert shown(told, most) == told
    if text.isprintable() and len(text) <= most:
        assert told == text


def test_what_is_not_printable_can_still_be_told_apart() -> None:
    assert shown("\x1b[1A\r\n\t\x9b\u202e\ud800é日") == r"\x1b[1A\r\n\t\x9b\u202e\ud800é日"
    assert shown("x" * 5000).endswith("x...")


@given(st.text(max_size=3 * MOST_DETAIL), st.text(max_size=3 * MOST_KIND))
def test_every_result_is_fit_to_be_shown(detail: str, kind: str) -> None:
    result = CheckResult(Outcome.ERROR, NOTHING_RAN, detail, kind)
    stopped = Stopped(Outcome.ERROR, detail, kind)

    for text in (result.detail, result.kind, stopped.detail, stopped.kind, str(stopped)):
        assert text.isprintable()
    assert len(result.detail) <= MOST_DETAIL and len(result.kind) <= MOST_KIND


def _calls(source: str) -> CheckResult:
    return judge_calls(source, "f", [Call((1,), 2)])


def _stdio(source: str) -> CheckResult:
    return judge_stdio(f"{source}\nprint(f(1))", [StdioTest("", "2\n")])


def _doctests(source: str) -> CheckResult:
    return judge_doctests(f'{source}\ndef g():\n    """\n    >>> f(1)\n    2\n    """\n')


def _asserts(source: str) -> CheckResult:
    return run_tests(source, parse_tests("assert f(1) == 2"))


def _message(source: str) -> CheckResult:
    return run_tests(source, parse_tests("assert f(1) == 2, repr(f) + str(f(1))"))


def _functions(source: str) -> CheckResult:
    return run_tests(source, parse_tests("def test_f():\n    assert f(1) == 2"))


def _cases(source: str) -> CheckResult:
    tests = "import unittest\nclass TestF(unittest.TestCase):\n"
    return run_tests(
        source, parse_tests(f"{tests}    def test_f(self): self.assertEqual(f(1), 2)\n")
    )


def _pytest(source: str) -> CheckResult:
    tests = "import pytest\ndef test_f():\n    if f(1) != 2: pytest.fail(str(f(1)))\n"
    return run_tests(source, parse_tests(tests))


def _skipping(source: str) -> CheckResult:
    tests = "import unittest\nclass TestF(unittest.TestCase):\n"
    return run_tests(
        source, parse_tests(f"{tests}    def test_f(self): self.skipTest(str(f(1)))\n")
    )


ROUTES: list[Callable[[str], CheckResult]] = [
    *(_calls, _stdio, _doctests, _asserts, _message, _functions, _cases, _pytest, _skipping)
]
WAYS = {
    "a message": "def f(x): raise ValueError({text})",
    "a message while loading": "raise ValueError({text})",
    "a name": "def f(x): raise type('E' + {name}, (Exception,), {{}})()",
    "a value": "def f(x): return {text}",
    "an object": "class A:\n    __repr__ = __str__ = lambda self: {text}\ndef f(x): return A()",
    "a class": "def f(x): return type('C' + {name}, (), {{}})()",
    "output": "import sys\nprint({name}, file=sys.stderr)\nprint({name})\ndef f(x): return 3",
    "an assertion": "def f(x): raise AssertionError({text})",
    "a system exit": "import sys\ndef f(x): sys.exit({text})",
}


PAIRS = [
    *((route, way) for route in (_calls, _asserts) for way in WAYS),
    *(
        (route, way)
        for route in ROUTES[1:]
        for way in ("a message", "an object")
        if route != _asserts
    ),
]


@_sandboxed
@pytest.mark.parametrize(("route", "way"), PAIRS)
def test_no_way_carries_hostile_text_to_a_verdict(
    route: Callable[[str], CheckResult], way: str
) -> None:
    # A name that UTF-8 can not hold raises where it is made.
    source = WAYS[way].format(text=ascii(HOSTILE), name=ascii(HOSTILE.replace("\ud800", "")))
    result = route(source)

    assert result.outcome is not Outcome.PASS
    assert result.detail.isprintable(), ascii(result.detail)
    assert result.kind.isprintable(), ascii(result.kind)


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with Program("def f(x): raise type('E' + x, (Exception,), {})(x)") as program:
        program.load()
        yield program


@_sandboxed
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_whatever_is_raised_is_printable(program: Program, text: str) -> None:
    with pytest.raises(Stopped) as stopped:
        program.call("f", (text,))

    assert stopped.value.detail.isprintable() and stopped.value.kind.isprintable()


@_sandboxed
@pytest.mark.parametrize("line", ["-1", "{'x': '" + "f" * 100_000 + "'}", "1e5"])
def test_a_forged_line_of_an_exception_is_a_violation(line: str) -> None:
    source = (
        "import sys\ndef f(x):\n    frame = sys._getframe()\n"
        "    while 'question' not in frame.f_locals: frame = frame.f_back\n"
        "    space = frame.f_locals\n"
        f"    line = str({line}).replace(\"'\", '\"')\n"
        '    text = \'{"id": "\' + space[\'question\'] + \'", "raised": ["E", [], "", \'\n'
        "    space['send']((text + line + ']}').encode())\n"
    )
    result = judge_calls(source, "f", [Call((1,), 2)])

    assert result.outcome is Outcome.PROTOCOL_VIOLATION, result
