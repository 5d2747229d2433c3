"""Rows in TACO's schema become problems; broken ones are counted, named and left out."""

from __future__ import annotations

import json

import pytest

from tests.support.taco_rows import call_row, stdin_row, write
from training.data.problem import from_json, to_json

NAN = float("nan")


def test_the_reference_is_the_shortest_solution_and_the_tests_come_along(stage, tmp_path):
    data = write(tmp_path, [stdin_row(3), call_row(4)])
    program, function = stage.run(data)
    assert program.code == "a, b = map(int, input().split())\nprint((a + b) * 3)\n"
    assert program.name == "" and program.request.endswith("write to standard output.")
    assert [(one.kind, one.given, one.expected) for one in program.examples] == [
        ("stdin", "1 2\n", "9\n"), ("stdin", "5 6\n", "33\n"),
    ]  # fmt: skip
    assert function.name == "scaled" and "class Solution" in function.request
    assert [json.loads(one.given) for one in function.examples] == [[1, 2], [5, 6]]
    assert {program.split, function.split} <= {"train", "validation"}
    assert from_json(to_json(program)) == program


def test_the_first_solution_when_that_is_asked_for(stage, tmp_path):
    (problem,) = stage.run(write(tmp_path, [stdin_row(3)]), reference="first")
    assert problem.code.startswith("import sys")


def test_the_number_stands_beside_the_papers(stage, tmp_path, capsys):
    stage.run(write(tmp_path, [stdin_row(3), stdin_row(4, solutions="[]")]))
    assert stage.funnel["paper"]["problems"] == 18_360
    assert stage.funnel["paper"]["difference"] == 1 - 18_360
    told = capsys.readouterr().err
    assert "1 problems; the paper has 18,360: -18,359 (-100.0%)" in told
    assert "solutions: empty 1 (first: taco-1)" in told


BROKEN = {
    "input_output: NaN": {"input_output": NAN},
    "solutions: invalid JSON": {"solutions": "['not', 'json']"},
    "input_output: invalid JSON": {"input_output": '{"inputs": ['},
    "question: empty": {"question": " \n"},
    "question: NaN": {"question": NAN},
    "question: not a text": {"question": 7},
    "question: too long": {"question": "x" * 2_000_000},
    "question: wrong encoding": {"question": "Stra�e und ein Weg"},
    "solutions: not a list": {"solutions": '"print(1)"'},
    "solutions: not a list of texts": {"solutions": "[1, 2]"},
    "solutions: not a text": {"solutions": ["print(1)"]},
    "input_output: no object with inputs and outputs": {"input_output": "[1]"},
    "input_output: inputs and outputs differ in number": {
        "input_output": '{"inputs": ["1"], "outputs": []}'
    },
    "input_output: input or output is not a text": {
        "input_output": '{"inputs": [{}], "outputs": ["1"]}'
    },
    "input_output: number of more than 4300 digits": {
        "input_output": '{"inputs": [' + "1" * 5000 + '], "outputs": [1]}'
    },
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_field_is_named(stage, tmp_path, reason):
    rows = [stdin_row(1), stdin_row(2, **BROKEN[reason]), stdin_row(3)]
    assert len(stage.run(write(tmp_path, rows))) == 2
    whole = stage.step("rows that are not broken")
    assert whole["dropped"] == {reason: 1} and whole["first"] == {reason: "1"}


def test_nan_within_the_tests_and_surrogates_are_named(stage, tmp_path):
    nan = stdin_row(1, input_output='{"inputs": ["1"], "outputs": [NaN]}')
    half = json.dumps(stdin_row(2)).replace("Every morning", "Every \\ud800 morning").encode()
    stage.run(write(tmp_path, [nan, half, stdin_row(3)]))
    dropped = stage.step("rows that are not broken")["dropped"]
    assert dropped == {"input_output: NaN": 1, "question: wrong encoding": 1}


def test_broken_lines_cost_themselves_alone(stage, tmp_path):
    latin = json.dumps(stdin_row(1), ensure_ascii=False).replace("keeper", "Wärter")
    lines = [b"{", latin.encode("latin-1"), b"[1]", b"null", json.dumps(stdin_row(2)).encode()]
    # A row that begins the file must be an object: a list would be read as one JSON text.
    assert len(stage.run(write(tmp_path, lines))) == 1
    assert stage.step("rows that are not broken")["dropped"] == {
        "line: invalid JSON": 1, "line: wrong encoding": 1, "row: no object with fields": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({"solutions": "[]"}, "with a solution"),
        ({"solutions": '["", " "]'}, "with a solution"),
        ({"solutions": '["print 1", "def"]'}, "a solution parses"),
        ({"picture_num": "2"}, "needs no picture"),
        ({"question": "See the map. <image> Count the bridges that it shows."}, "needs no picture"),
        ({"question": "long words " * 3000}, "statement is short enough"),
    ],
)
def test_what_can_not_be_learned_from_is_left_out_and_counted(stage, tmp_path, changed, step):
    data = write(tmp_path, [stdin_row(1), stdin_row(2, **changed)])
    assert [one.id for one in stage.run(data)] == ["taco-0"]
    assert sum(stage.step(step)["dropped"].values()) == 1


@pytest.mark.parametrize("value", [None, NAN, "", "0", "None", 0, [], "1e999"])
def test_no_picture_where_the_data_says_none(stage, tmp_path, value):
    assert stage.run(write(tmp_path, [stdin_row(1, picture_num=value)]))


def test_rows_of_hackerrank_say_that_their_licence_is_unknown(stage, tmp_path):
    one, other = stage.run(write(tmp_path, [stdin_row(1), stdin_row(2, source="hackerrank")]))
    assert one.licence.startswith("Apache-2.0") and other.licence.startswith("unknown")
