"""Reasoning made worse: exactly in the way that the name says, the same every time."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from assistant.errors import DataProblem, UsageProblem
from training import contexts
from training.experiments import degrade

ROWS = [
    {
        "id": f"p{number}",
        "sample": 0,
        "intent": f"f{number}: the intent.",
        "steps": [f"step {number}.{i}" for i in range(2 + number % 4)],
        "formulas": [],
        "edge_cases": [f"edge {number}"],
    }
    for number in range(30)
]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "contexts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def _degraded(source, tmp_path, way: str):
    target = tmp_path / f"{way}.jsonl"
    degrade.write(source, target, way)
    return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("way", degrade.WAYS)
def test_every_way_leaves_the_problems_and_changes_the_reasoning(source, tmp_path, way):
    rows = _degraded(source, tmp_path, way)

    assert [(row["id"], row["sample"]) for row in rows] == [(r["id"], r["sample"]) for r in ROWS]
    assert rows != ROWS
    # The training reads it like any other.
    assert len(list(contexts.read(tmp_path / f"{way}.jsonl"))) == len(ROWS)
    assert rows == _degraded(source, tmp_path, way)


def test_shuffled_steps_are_the_same_steps_in_another_order(source, tmp_path):
    for before, after in zip(ROWS, _degraded(source, tmp_path, "steps-shuffled"), strict=True):
        assert Counter(before["steps"]) == Counter(after["steps"])
        assert before["steps"] != after["steps"]
        assert before["intent"] == after["intent"]


def test_halved_steps_are_every_second_one(source, tmp_path):
    for before, after in zip(ROWS, _degraded(source, tmp_path, "steps-halved"), strict=True):
        assert after["steps"] == before["steps"][::2]


def test_the_intent_alone_is_left(source, tmp_path):
    rows = _degraded(source, tmp_path, "intent-only")

    assert [row["intent"] for row in rows] == [row["intent"] for row in ROWS]
    assert len({json.dumps([row["steps"], row["edge_cases"]]) for row in rows}) == 1


@pytest.mark.parametrize(("way", "wrong"), [("third-wrong", 10), ("all-wrong", 30)])
def test_wrong_reasoning_is_another_problems(source, tmp_path, way, wrong):
    rows = _degraded(source, tmp_path, way)
    owner = {row["intent"]: row["id"] for row in ROWS}

    assert sum(owner[row["intent"]] != row["id"] for row in rows) == wrong
    # It goes round: none is lost and none is used twice.
    assert {row["intent"] for row in rows} == set(owner)


def test_a_template_says_the_same_of_every_problem(source, tmp_path):
    rows = _degraded(source, tmp_path, "template")

    assert len({json.dumps([row["intent"], row["steps"]]) for row in rows}) == 1


def test_an_unknown_way_and_a_malformed_line_are_named(source, tmp_path):
    with pytest.raises(UsageProblem, match="steps-shuffled"):
        degrade.write(source, tmp_path / "out", "louder")
    source.write_text('{"id": "p"}\n', encoding="utf-8")
    with pytest.raises(DataProblem, match=r"contexts.jsonl:1"):
        degrade.write(source, tmp_path / "out", "template")
