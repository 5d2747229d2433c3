"""Samples are chosen in the open: what is left out is counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from assistant.errors import TrainingProblem
from assistant.outcomes import Outcome
from tests.support.teacher_server import GOOD, Reply, a_problem
from training.data.problem import Example
from training.teachers import select
from training.teachers.sections import read_sections

READ = read_sections(GOOD)


def _samples(*codes: str | None, per_problem: int = 2) -> list[select.Sample]:
    return [
        select.Sample(a_problem(n // per_problem), n % per_problem, READ, code)
        for n, code in enumerate(codes)
    ]


def _names(selection: select.Selection) -> list[tuple[str, int]]:
    return [(one.problem.id, one.sample) for one in selection.chosen]


def _judge(pairs: Sequence[tuple[str, str]]) -> list[Outcome]:
    """Passes what says so; the tests are looked at to be there."""
    assert all("assert f" in tests for _, tests in pairs)
    return [Outcome.PASS if "good" in code else Outcome.WRONG for code, _ in pairs]


def test_all_and_first():
    samples = _samples("a", "b", "c", "d")
    everything = select.choose(samples, "all")
    assert len(everything.chosen) == 4
    assert everything.counts["samples left out"] == 0
    first = select.choose(samples, "first")
    assert _names(first) == [("t0", 0), ("t1", 0)]
    assert first.counts["samples left out"] == 2
    assert first.counts["problems left out"] == 0


def test_passing_takes_the_first_that_passes_and_counts_the_rest():
    samples = _samples("bad", "good", "bad", "bad", None, "good")
    chosen = select.choose(samples, "passing", _judge)
    assert _names(chosen) == [("t0", 1), ("t2", 1)]
    assert chosen.counts["problems left out"] == 1
    assert chosen.counts["samples left out"] == 4
    assert chosen.counts["code: pass"] == 2
    assert chosen.counts["code: wrong"] == 3
    assert chosen.counts["code: not checked"] == 1


def test_without_a_sandbox_nothing_is_called_wrong():
    with pytest.raises(TrainingProblem, match="no sandbox"):
        select.choose(_samples("good"), "passing", lambda p: [Outcome.SANDBOX_UNAVAILABLE])


def test_a_problem_without_tests_is_not_checked():
    sample = select.Sample(a_problem(0, tests=()), 0, READ, "good")
    counts = select.choose([sample], "passing", _judge).counts
    assert counts["code: not checked"] == counts["problems left out"] == 1


def test_the_code_is_asked_for_with_the_reasoning_and_kept(server, ask):
    """The second sample's plan leads to code that fails."""

    def behave(number, body):
        if "Plan:" not in body["messages"][1]["content"]:
            return Reply(GOOD.replace("nums", "odd" if body["seed"] >= 1000 else "nums"))
        wrong = "odd" in body["messages"][1]["content"]
        return Reply(f"```python\ndef f0(x):\n    return x + {2 if wrong else 1}\n```")

    server.behave = behave
    found = ask(1, samples=2, select="passing")
    codes = [sample.code for sample in found.samples]
    assert codes == ["def f0(x):\n    return x + 1\n", "def f0(x):\n    return x + 2\n"]
    plans = [b["messages"][1]["content"] for b in server.bodies if b["temperature"] == 0]
    assert len(plans) == 2
    assert all("## Edge cases" in plan and "## Code" not in plan for plan in plans)
    ask(1, samples=2, select="passing")
    assert len(server.bodies) == 4


def test_an_answer_without_code_is_not_checked(server, ask):
    server.behave = lambda n, body: Reply("I can not." if body["temperature"] == 0 else GOOD)
    found = ask(1, select="passing", attempts=2)
    assert [sample.code for sample in found.samples] == [None]
    assert len(server.bodies) == 3


def test_the_sandbox_judges_real_code():
    good, bad = "def f0(x):\n    return x + 1\n", "def f0(x):\n    return x\n"
    other_name = "def increase(x):\n    return x + 1\n"
    samples = _samples(bad, good, other_name, bad)
    try:
        chosen = select.choose(samples, "passing")
    except TrainingProblem as problem:
        pytest.skip(str(problem))
    assert _names(chosen)[0] == ("t0", 1)
    assert chosen.counts["code: wrong"] == 2


def test_a_whole_program_is_judged_by_what_it_prints():
    """As TACO's problems are: examples to read and print, and no assertions."""
    examples = (Example("stdin", "1 2\n", "3\n"), Example("stdin", "5 6\n", "11\n"))
    problem = a_problem(0, tests=(), examples=examples, name="")
    codes = ("print(3)\n", "print(sum(map(int, input().split())))\n")
    samples = [select.Sample(problem, n, READ, code) for n, code in enumerate(codes)]
    try:
        chosen = select.choose(samples, "passing")
    except TrainingProblem as unavailable:
        pytest.skip(str(unavailable))
    assert _names(chosen) == [("t0", 1)]
