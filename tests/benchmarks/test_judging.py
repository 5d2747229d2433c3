"""One sample against a ground truth: verdicts, in which order, and which timeouts are believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.benchmarks import judging, truth
from assistant.benchmarks.judging import Doubt, NotJudged, Work
from assistant.benchmarks.problems import Inputs, Problem
from assistant.benchmarks.records import Record
from assistant.benchmarks.rules import Rule
from assistant.sandbox import layers

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")

BASE, PLUS = 40, 200
"""Inputs; with these, several pages of questions."""
Judge = Callable[[str], "Record | Doubt | NotJudged"]


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> Path:
    """The ground truth of a task: to double a number."""
    inputs = Inputs(
        tuple([n] for n in range(BASE)), tuple([n] for n in range(BASE, BASE + PLUS)), Rule.EQUAL, 0
    )
    problem = Problem("Made/0", "", "f", "def f(n):\n    return 2 * n\n", inputs=inputs)
    path: Path = tmp_path_factory.mktemp("truth") / "Made-0"
    truth.compute(problem, path)
    return path


@pytest.fixture
def judge(expected: Path) -> Judge:
    return lambda program: judging.judge(Work("Made/0", 0, program, expected))


def record(found: Record | Doubt | NotJudged) -> Record:
    assert isinstance(found, Record), found
    return found


def test_a_right_program_passes_all_pages(judge: Judge):
    found = record(judge("def f(n):\n    return n + n\n"))
    assert (found.base, found.plus, found.outcome, found.where) == ("pass", "pass", "pass", "")


_ANSWERS = """
def answers():
    # The only descriptor beyond the standard ones that can be written to.
    import fcntl
    for fd in range(3, 20):
        try:
            if fcntl.fcntl(fd, fcntl.F_GETFL) & 3 == 1:
                return fd
        except OSError:
            pass
"""


# What goes wrong at input 57, and what would go wrong right after it, whose question may be there.
@pytest.mark.parametrize(
    ("at", "outcome", "kind"),
    [
        ("return 0", "wrong", ""),
        ("return True", "wrong", ""),
        ("raise KeyError(1)", "error", "KeyError"),
        ("raise SystemExit", "error", "SystemExit"),
        ("import os; os._exit(0)", "crash", ""),
        ("return object()", "error", "TypeError"),
        ("import os; os.write(answers(), bytes(99))", "protocol violation", ""),
        ("print('x' * (9 << 20))", "output limit", ""),
    ],
)
@pytest.mark.parametrize(
    "after", ["return 2 * n", "import os; os._exit(0)", "print('x' * (9 << 20)); return 2 * n"]
)
def test_the_first_input_that_fails_decides(judge: Judge, at: str, outcome: str, kind: str, after):
    program = (
        f"{_ANSWERS}def f(n):\n    if n == 57:\n        {at}\n    if n > 57:\n        {after}\n"
        "    return 2 * n\n"
    )
    found = record(judge(program))
    assert (found.base, found.plus) == ("pass", "fail")
    assert (found.outcome, found.kind, found.where) == (outcome, kind, "plus 17")


def test_an_answer_to_a_question_that_waits_is_none_to_the_present_one(judge: Judge):
    # It finds the id of its page and answers the next call of it first.
    program = f"""{_ANSWERS}
import os, sys
def f(n):
    frame = sys._getframe()
    while n == 3 and frame is not None:
        question = frame.f_locals.get("question")
        if question:
            text = ('{{"id": "' + question + '.4", "value": 8}}').encode()
            os.write(answers(), len(text).to_bytes(4, "big") + text)
            break
        frame = frame.f_back
    return 2 * n
"""
    found = record(judge(program))
    assert (found.outcome, found.where) == ("protocol violation", "base 3")


def test_what_does_not_load_has_passed_nothing(judge: Judge):
    found = record(judge("def f(n) return n\n"))
    assert (found.base, found.where, found.kind) == ("fail", "load", "SyntaxError")


def test_a_busy_program_with_a_core_is_believed_and_a_sleeper_is_not(judge: Judge, monkeypatch):
    monkeypatch.setattr(judging, "_BACKSTOP", 1.0)
    monkeypatch.setattr(judging, "CALL_S", 0.3)
    asleep = judge("import time\ndef f(n):\n    time.sleep(60)\n")
    assert isinstance(asleep, Doubt)
    assert (asleep.record.outcome, asleep.record.where) == ("timeout", "base 0")
    monkeypatch.setattr(judging, "_BACKSTOP", 100.0)
    monkeypatch.setattr(judging, "_OWN_CORE", 0.0)
    busy = judge("def f(n):\n    while n == 50: pass\n    return 2 * n\n")
    assert (record(busy).outcome, record(busy).where) == ("timeout", "plus 10")
    monkeypatch.setattr(judging, "_OWN_CORE", 1.1)  # as if it had waited for a core all the time
    assert isinstance(judge("def f(n):\n    while True: pass\n"), Doubt)


def test_waiting_for_a_core_is_no_part_of_a_limit(judge: Judge, monkeypatch):
    # Half of the limit in processor time passes, however long that takes by the wall clock.
    monkeypatch.setattr(judging, "CALL_S", 0.2)
    busy = "import time\ndef f(n):\n    began = time.process_time()\n"
    busy += "    while n in (7, 8) and time.process_time() - began < 0.1: pass\n    return 2 * n\n"
    assert record(judge(busy)).outcome == "pass"


def test_a_slower_machine_allows_more_and_a_quicker_one_no_less(judge: Judge, monkeypatch):
    slow = "import time\ndef f(n):\n    began = time.process_time()\n"
    slow += "    while n == 50 and time.process_time() - began < 0.3: pass\n    return 2 * n\n"
    monkeypatch.setattr(judging, "CALL_S", 0.1)
    monkeypatch.setattr(judging, "_OWN_CORE", 0.0)
    for reference, outcome in ((1000.0, "timeout"), (judging._LOOP_S / 20, "pass")):
        monkeypatch.setattr(judging, "_LOOP_S", reference)
        judging.slowness.cache_clear()
        assert (judging.slowness() == 1.0) == (outcome == "timeout")
        assert record(judge(slow)).outcome == outcome
    judging.slowness.cache_clear()


def test_arguments_that_a_program_keeps_do_not_come_back_changed(judge: Judge):
    # Every call unpacks its own copy, in the order of the questions.
    program = "seen = []\ndef f(n):\n    seen.append(n)\n    return 2 * len(seen) - 2\n"
    assert record(judge(program)).outcome == "pass"


def test_a_broken_ground_truth_is_no_verdict(tmp_path):
    (tmp_path / "x").write_bytes(b"\0\0\0\0\0\0\0\x05hello")
    found = judging.judge(Work("Made/0", 0, "def f(n):\n    return n\n", tmp_path / "x"))
    assert isinstance(found, NotJudged)
    assert "no ground truth" in found.reason
