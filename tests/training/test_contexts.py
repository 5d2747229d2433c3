"""A slow teacher is never asked twice for what it has answered."""

from __future__ import annotations

import json

import pytest

from assistant.errors import DataProblem
from training import contexts

HEAD = json.dumps({"key": "k"})


def test_whole_lines_are_kept_and_a_half_one_is_cut_off(tmp_path):
    path = tmp_path / "contexts.jsonl.unfinished"
    path.write_bytes(f'{HEAD}\n{{"id": "a"}}\n{{"id": "b"}}\n{{"id": "c'.encode())
    assert contexts.keep_whole_lines(path, HEAD) == ['{"id": "a"}', '{"id": "b"}']
    assert path.read_text(encoding="utf-8").endswith('{"id": "b"}\n')


@pytest.mark.parametrize("content", ["", "half a li", '{"key": "other"}\n{"id": "a"}\n'])
def test_answers_for_something_else_are_not_kept(tmp_path, content):
    path = tmp_path / "contexts.jsonl.unfinished"
    path.write_text(content, encoding="utf-8")
    assert contexts.keep_whole_lines(path, HEAD) == []
    assert path.read_text(encoding="utf-8") == HEAD + "\n"


def test_each_trained_problem_has_its_context(nano, some_problems):
    known = dict(contexts.read(nano / "contexts.jsonl"))
    assert all(known[problem.id].steps for problem in some_problems)


@pytest.mark.parametrize("line", ["no json", "{}", '{"id": "a", "intent": ""}', "[]"])
def test_a_malformed_line_is_named(tmp_path, line):
    path = tmp_path / "contexts.jsonl"
    good = {"id": "a", "intent": "x", "steps": ["y"], "formulas": [], "edge_cases": ["z"]}
    path.write_text(f"{json.dumps(good)}\n{line}\n", encoding="utf-8")
    with pytest.raises(DataProblem, match=r"contexts\.jsonl:2"):
        list(contexts.read(path))


def test_a_problem_may_have_several_samples_or_none(tmp_path):
    path = tmp_path / "contexts.jsonl"
    row = {"steps": ["y"], "formulas": [], "edge_cases": ["z"]}
    ids = ("a", "b", "a")
    rows = [{"id": id, "intent": f"x{n}", **row} for n, id in enumerate(ids)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = contexts.by_problem(path)
    assert [one.intent for one in found["a"]] == ["x0", "x2"]
    assert "c" not in found
