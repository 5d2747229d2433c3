"""The sets that the model is judged on."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

from assistant.errors import DataProblem
from assistant.tasks import find_signature
from training.world import run_many
from training.world.evaluation import (
    find_mbpp,
    handwritten_problems,
    heldout_problems,
    mbpp_problems,
    validation_problems,
)
from training.world.generator import basic_structures
from training.world.structure import split_of, structure_hash

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("ASSISTANT_DATA") or ROOT.parent / "shared" / "data")


def test_heldout_problems_have_a_structure_of_their_own_each():
    problems = heldout_problems(60, 7)
    structures = {structure_hash(p.code) for p in problems}
    assert len(structures) == 60
    assert {split_of(s, basic_structures()) for s in structures} == {"heldout"}
    assert {p.split for p in validation_problems(5, 7)} == {"validation"}


def test_handwritten_requests_are_right_and_nobody_elses_words(problems):
    written = handwritten_problems()
    assert len(written) >= 60
    assert len({p.request for p in written}) == len(written)
    assert [
        p.id
        for p, o in zip(written, run_many([(p, p.code) for p in written]), strict=True)
        if not o.passed
    ] == []
    generated = {p.request.lower() for p in problems}
    assert not generated & {p.request.lower() for p in written}
    for problem in written:
        assert problem.signature == find_signature(problem.request)
        assert problem.form == "none" or problem.name in problem.request
        if problem.signature:
            assert problem.code.startswith(problem.signature.split(":")[0].split("(")[0])


def test_handwritten_tests_can_fail():
    """An answer that always says None passes none of them."""
    answers = []
    for problem in handwritten_problems():
        count = len(ast.parse(problem.code).body[-1].args.args)
        params = ", ".join(f"p{number}" for number in range(count))
        answers.append((problem, f"def {problem.name}({params}):\n    return None\n"))
    assert not any(outcome.passed for outcome in run_many(answers))


def test_a_handwritten_row_without_a_field_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"request": "x", "code": "def f(): pass"}\n')
    with pytest.raises(DataProblem, match=r"rows\.jsonl:1: the field 'tests'"):
        handwritten_problems(path)


ROW = {
    "text": "Write a function to add start to a number.\r\n",
    "code": "STEP = 0\r\ndef helper(a):\r\n    return a\r\n"
    "def add_start(a, b = 1): \r\n    return helper(a) + b\r\n",
    "task_id": 11,
    "test_setup_code": "start = 2",
    "test_list": ["assert add_start(1, start) == 3", "assert add_start(0) == 1"],
    "challenge_test_list": [],
}


@pytest.fixture
def mbpp(tmp_path):
    path = tmp_path / "mbpp" / "mbpp.jsonl"
    path.parent.mkdir()
    rows = [ROW, {**ROW, "task_id": 900}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_row_of_mbpp_becomes_a_problem(mbpp):
    for place in (mbpp, mbpp.parent, mbpp.parent.parent):
        assert find_mbpp(place) == mbpp
    (problem,) = mbpp_problems(mbpp)
    assert problem.signature == "def add_start(a, b=1):"
    assert problem.request == f"Write a function to add start to a number.\n{problem.signature}"
    assert find_signature(problem.request) == problem.signature
    assert "\r" not in problem.code
    assert run_many([(problem, problem.code)])[0].passed
    assert len(mbpp_problems(mbpp, test_only=False)) == 2


def test_mbpp_in_a_wrong_place_or_shape_is_named(mbpp, tmp_path):
    with pytest.raises(DataProblem, match="no MBPP data at"):
        mbpp_problems(tmp_path / "nowhere")
    mbpp.write_text(json.dumps({**ROW, "test_list": ["assert other(1)"]}) + "\n")
    with pytest.raises(DataProblem, match=r"mbpp\.jsonl:1: not a task of MBPP"):
        mbpp_problems(mbpp)
    mbpp.write_text("{broken\n")
    with pytest.raises(DataProblem, match=r"mbpp\.jsonl:1"):
        mbpp_problems(mbpp)


def test_the_reference_code_of_mbpp_passes():
    try:
        find_mbpp(DATA)
    except DataProblem:
        pytest.skip(f"no MBPP data at {DATA}; set ASSISTANT_DATA to its folder")
    problems = mbpp_problems(DATA)
    assert len(problems) == 500
    assert sum(find_signature(p.request) == p.signature for p in problems) >= 495
    sample = problems[::10]
    assert [
        p.id
        for p, o in zip(sample, run_many([(p, p.code) for p in sample], 20), strict=True)
        if not o.passed
    ] == []
