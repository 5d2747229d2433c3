"""The reference is the shortest solution that passes, by really running it; verdicts are kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from assistant import sandbox
from assistant.errors import TrainingProblem
from assistant.outcomes import Outcome
from tests.support.taco_rows import call_row, stdin_row, write
from training.data import verdicts
from training.data.problem import Example
from training.data.rows import Row
from training.data.verdicts import Verdict, Verdicts
from training.data.verified import passing, verified

ROOT = Path(__file__).parents[3]
needs_sandbox = pytest.mark.skipif(
    not sandbox.layers(), reason="this machine has no sandbox: assistant doctor says why"
)


@needs_sandbox
def test_the_shortest_solution_that_passes(stage, tmp_path):
    good = json.loads(stdin_row(3)["solutions"])
    wrong = "print(9)\n"
    row = stdin_row(3, solutions=json.dumps([*good, wrong, "int('x')\n"]))
    lost = stdin_row(4, solutions=json.dumps([wrong]))
    untested = stdin_row(5, input_output='{"inputs": [], "outputs": []}')
    (problem,) = stage.run(write(tmp_path, [row, lost, untested]), verify=True)
    assert problem.code == good[1] and len(problem.code) > len(wrong)
    step = stage.step("a solution passes")
    assert step["dropped"] == {"no solution passes (the first: wrong)": 1, "no tests": 1}


@needs_sandbox
def test_a_method_of_class_solution_and_results_in_lists_of_one(stage, tmp_path):
    other = '{"fn_name": "scaled", "inputs": [[1, 2]], "outputs": [[13]]}'
    data = write(tmp_path, [call_row(4), call_row(5, input_output=other)])
    (problem,) = stage.run(data, verify=True)
    assert problem.id == "taco-0"
    assert [one.expected for one in problem.examples] == ["12", "44"]


@needs_sandbox
def test_asserts_run_and_an_endless_loop_ends():
    row = Row("1", "s", (), "own_code", name="f", tests=("assert f(1) == 2",))
    assert verdicts.judge("def f(x):\n    return x + 1\n", row, 5).outcome is Outcome.PASS
    assert verdicts.judge("def f(x):\n    return x\n", row, 5).outcome is Outcome.WRONG
    endless = "def f(x):\n    while True:\n        pass\n"
    assert verdicts.judge(endless, row, 0.5).outcome is Outcome.TIMEOUT


ROW = Row("1", "s", ("one\n", "two\n", "three\n"), "taco", examples=(Example("stdin", "", "1"),))


def _passing_two(asked):
    def run(code, row, seconds, stop):
        asked.append(code)
        outcome = Outcome.PASS if code == "two\n" else Outcome.WRONG
        return Verdict(outcome, "")

    return run


def test_no_verdict_is_asked_for_twice(tmp_path):
    path, asked = tmp_path / "verdicts.jsonl", []
    for _ in range(2):
        with Verdicts(path, 1.0, _passing_two(asked)) as known:
            found = passing(ROW, known)
            assert isinstance(found, Row) and found.solutions == ("two\n", "one\n", "three\n")
    assert asked == ["one\n", "two\n"]


def test_another_limit_or_test_is_another_question(tmp_path):
    path, asked = tmp_path / "verdicts.jsonl", []
    for seconds, wanted in ((1.0, "1"), (2.0, "1"), (1.0, "2")):
        row = Row("1", "s", ("two\n",), "taco", examples=(Example("stdin", "", wanted),))
        with Verdicts(path, seconds, _passing_two(asked)) as known:
            passing(row, known)
    assert len(asked) == 3


@pytest.mark.parametrize("torn", ["", '{"key": "abc", "out', "\0\0\0\n", '{"key": 1}\n'])
def test_a_torn_line_is_cut_off(tmp_path, torn):
    path, asked = tmp_path / "verdicts.jsonl", []
    with Verdicts(path, 1.0, _passing_two(asked)) as known:
        passing(ROW, known)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 1] + torn.encode())
    with Verdicts(path, 1.0, _passing_two(asked)) as known:
        passing(ROW, known)
    assert asked == ["one\n", "two\n", "two\n"]
    with Verdicts(path, 1.0, _passing_two(asked)) as known:
        passing(ROW, known)
    assert len(asked) == 3


def test_without_a_sandbox_nothing_is_said_about_any_solution(tmp_path):
    def unavailable(code, row, seconds, stop):
        return Verdict(Outcome.SANDBOX_UNAVAILABLE, "no bubblewrap")

    told = r"no bubblewrap\n.*problems\.verify=false"
    with (
        Verdicts(tmp_path / "v", 1.0, unavailable) as known,
        pytest.raises(TrainingProblem, match=told),
    ):
        passing(ROW, known)
    assert (tmp_path / "v").read_bytes() == b""


@pytest.mark.parametrize("workers", [1, 3])
def test_rows_keep_their_order_whatever_the_workers(tmp_path, workers):
    rows = [Row(str(n), "s", (f"{n}\n",), "taco", examples=ROW.examples) for n in range(30)]

    def odd(code, row, seconds, stop):
        return Verdict(Outcome.PASS if int(code) % 2 else Outcome.ERROR, "")

    lost = []
    with Verdicts(tmp_path / "v", 1.0, odd) as known:
        left = list(verified(known, workers)(iter(rows), lambda *told: lost.append(told)))
    assert [one.id for one in left] == [str(n) for n in range(1, 30, 2)]
    assert lost == [(str(n), "no solution passes (the first: error)") for n in range(0, 30, 2)]


@needs_sandbox
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_killed_verification_goes_on_where_it_was(stage, tmp_path):
    data = write(tmp_path, [stdin_row(n) for n in range(1, 7)])
    code = """
import os, signal, sys
from pathlib import Path
from training import problems
from training.chain import CHAIN
from training.data import verdicts
from training.settings import Problems, Settings
from training.stages import Job
write, left = verdicts.Verdicts._write, 3
def dying(self, key, verdict):
    global left
    write(self, key, verdict)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
verdicts.Verdicts._write = dying
settings = Settings(problems=Problems(source="taco", verify=True, workers=1))
problems.make(Job(CHAIN[0], "test", settings, Path(sys.argv[1]), Path(sys.argv[2]), "key"))
"""
    died = subprocess.run(
        [sys.executable, "-c", code, str(stage.out), str(data)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    kept = (stage.out / "problems.verdicts.jsonl").read_bytes()
    assert kept.count(b"\n") == 3 and not (stage.out / "problems.jsonl").exists()
    assert len(stage.run(data, verify=True, workers=1)) == 6
    after = (stage.out / "problems.verdicts.jsonl").read_bytes()
    assert after.startswith(kept) and after.count(b"\n") == 6
    whole = (stage.out / "problems.jsonl").read_bytes()
    (stage.out / "problems.verdicts.jsonl").unlink()
    stage.run(data, verify=True, workers=2)
    assert (stage.out / "problems.jsonl").read_bytes() == whole


def test_an_interrupt_ends_what_runs_and_keeps_what_is_known(tmp_path):
    """Ctrl-C while a program runs: no verdict is made up, none is lost."""
    rows = [Row(str(n), "s", (f"{n}\n",), "taco", examples=ROW.examples) for n in range(3)]

    def run(code, row, seconds, stop):
        if code == "0\n":
            return Verdict(Outcome.PASS, "")
        if code == "1\n":
            raise KeyboardInterrupt
        assert stop.wait(60), "nobody stopped it"
        return Verdict(Outcome.TIMEOUT, "it was stopped")

    path = tmp_path / "v"
    with Verdicts(path, 1.0, run) as known, pytest.raises(KeyboardInterrupt):
        list(verified(known, 2)(iter(rows), lambda *told: None))
    kept = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [one["outcome"] for one in kept] == ["pass"]
