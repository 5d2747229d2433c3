"""Judging answers: every way to fail is a failure, and costs that answer only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from training.world import Construction, Problem, run_many, run_tests

PROBLEM = Problem(
    id="p",
    request="double it",
    register="terse",
    signature="def double(x):",
    name="double",
    code="def double(x):\n    return 2 * x\n",
    tests=("assert double(2) == 4", "assert double(0) == 0", "assert double(-1) == -2"),
    structure="",
    construction=Construction("numbers", (), "", (), (), ()),
    split="heldout",
    form="line",
)


def test_right_code_passes():
    assert run_tests(PROBLEM, PROBLEM.code).passed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def double(x):\n    return x * x\n", "AssertionError"),
        ("def double(x)\n    return 2 * x\n", "SyntaxError"),
        ("def twice(x):\n    return 2 * x\n", "NameError"),
        ("def double(x):\n    return 2 * y\n", "NameError"),
        ("def double(x):\n    raise SystemExit(0)\n", "SystemExit"),
        ("import os\nos._exit(0)\n", "crash"),
        ("def double(x):\n    return double(x)\n", "RecursionError"),
        ("def double(x):\n    return [0] * 10**12\n", "MemoryError"),
        ("", "NameError"),
    ],
)
def test_wrong_code_fails_with_its_reason(code, reason):
    outcome = run_tests(PROBLEM, code)
    assert not outcome.passed
    assert reason in outcome.reason


def test_an_endless_loop_ends():
    outcome = run_tests(PROBLEM, "def double(x):\n    while True:\n        pass\n", timeout=0.3)
    assert (outcome.passed, outcome.reason) == (False, "timeout")


def test_a_bad_answer_does_not_touch_the_next():
    noisy = "print('passed ' * 100000)\ndef double(x):\n    return 2 * x\n"
    bad = "import builtins\nbuiltins.sum = None\nimport os\nos._exit(3)\n"
    good = "def double(x):\n    return sum([x, x])\n"
    outcomes = run_many([(PROBLEM, bad), (PROBLEM, noisy), (PROBLEM, good)])
    assert [o.passed for o in outcomes] == [False, True, True]


def test_any_name_is_right_when_the_request_gives_none():
    free = replace(PROBLEM, form="none", signature=None)
    twice = "def helper(x):\n    return x\n\ndef twice(x):\n    return helper(x) * 2\n"
    assert run_tests(free, twice).passed
    assert not run_tests(replace(free, form="named"), twice).passed


def test_setup_runs_before_the_tests():
    tested = replace(PROBLEM, setup="start = 2", tests=("assert double(start) == 4",))
    assert run_tests(tested, PROBLEM.code).passed
