"""The ground truth: what it holds, that half a file is no file, what can not leave as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.benchmarks import judging, truth
from assistant.benchmarks.judging import Work
from assistant.benchmarks.problems import Inputs, Problem
from assistant.benchmarks.records import Record
from assistant.benchmarks.rules import Rule
from assistant.errors import DataProblem
from assistant.sandbox import layers

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")


def problem(reference: str, rule: Rule = Rule.EQUAL, base: int = 2, plus: int = 2) -> Problem:
    inputs = Inputs(
        tuple([n] for n in range(base)), tuple([n] for n in range(base, base + plus)), rule, 0
    )
    return Problem("Made/0", "", "f", reference, inputs=inputs)


def verdict(program: str, path: Path) -> Record:
    found = judging.judge(Work("Made/0", 0, program, path))
    assert isinstance(found, Record), found
    return found


def test_it_holds_the_outputs_in_the_order_of_the_inputs(tmp_path):
    truth.compute(problem("def f(n):\n    return [n, 0.5]\n"), tmp_path / "t")
    assert truth.is_there(tmp_path / "t")
    with truth.Truth(tmp_path / "t") as found:
        assert (len(found), found.base, found.entry_point) == (4, 2, "f")
        entries = list(found)
        assert [one.output for one in entries] == [f"[{n}, 0.5]".encode() for n in range(4)]
        assert [truth.unpacked(one.packed) for one in entries] == [[n] for n in range(4)]
        assert all(one.seconds > 0 and not one.digest for one in entries)


@pytest.mark.parametrize("left", [0, 5, 30, -1])
def test_a_part_of_a_file_is_none_and_is_removed(tmp_path, left: int):
    path = tmp_path / "t"
    truth.compute(problem("def f(n):\n    return n\n"), path)
    path.write_bytes(path.read_bytes()[:left])
    assert not truth.is_there(path)
    assert not path.exists()


def test_a_reference_that_fails_is_a_fault_of_the_data(tmp_path):
    with pytest.raises(DataProblem, match=r"Made/0 .*after 3.*KeyError"):
        truth.compute(
            problem("def f(n):\n    if n == 3:\n        raise KeyError(n)\n    return n\n"),
            tmp_path / "t",
        )
    assert list(tmp_path.iterdir()) == []


def test_what_is_longer_than_a_message_is_compared_by_its_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(truth, "MESSAGE_BYTES", 4 << 10)
    reference = "def f(n):\n    return ['x' * 1000] * (9 if n == 1 else 1)\n"
    truth.compute(problem(reference), tmp_path / "t")
    with truth.Truth(tmp_path / "t") as found:
        assert [one.digest for one in found] == [False, True, False, False]
    assert verdict(reference, tmp_path / "t").plus == "pass"
    other = reference.replace("* 1000]", "* (1000 + n)]")
    assert verdict(other, tmp_path / "t").where == "base 1"


def test_a_match_is_told_by_whether_there_is_one(tmp_path):
    reference = "import re\ndef f(n):\n    return re.match('[02]', str(n))\n"
    truth.compute(problem(reference, Rule.NOT_NONE), tmp_path / "t")
    assert verdict("def f(n):\n    return n in (0, 2)\n", tmp_path / "t").plus == "pass"
    assert verdict("def f(n):\n    return n == 0\n", tmp_path / "t").where == "plus 0"


def test_the_name_of_a_file_tells_references_apart(tmp_path):
    one, other = problem("def f(n):\n    return n\n"), problem("def f(n):\n    return n + 1\n")
    assert truth.path_of(tmp_path, one) != truth.path_of(tmp_path, other)
    again = problem("def f(n):\n    return n\n")
    assert truth.path_of(tmp_path, one) == truth.path_of(tmp_path, again)
