"""Data rows as problems: the published files whole, and what is wrong with a row, named."""

from __future__ import annotations

import ast
import hashlib
import json
from collections import Counter
from typing import Any

import pytest

from assistant.benchmarks import problems
from assistant.benchmarks.catalogue import BENCHMARKS
from assistant.benchmarks.data import DataFile
from assistant.benchmarks.rules import Rule
from assistant.errors import DataProblem
from tests.support.benchmark_runs import ALL_OF_MBPP, DATA, tasks_of

HUMANEVAL: dict[str, Any] = {
    "task_id": "HumanEval/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "canonical_solution": "    return x\n",
    "test": "def check(candidate):\n    assert candidate(1) == 1\n",
}
PLUS = HUMANEVAL | {"base_input": [[1]], "plus_input": [[2]], "atol": 0}
MBPP: dict[str, Any] = {
    "task_id": 11,
    "text": "Write f.",
    "code": "def f(x):\r\n    return x",
    "test_list": ["assert f(1) == 1"],
    "test_setup_code": "",
    "challenge_test_list": [],
}


def read(benchmark: str, *rows: Any) -> list[problems.Problem]:
    content = b"\n".join(json.dumps(row).encode() for row in rows)
    return problems.read(BENCHMARKS[benchmark], DataFile("data.jsonl", content, "", False))


def test_a_row_of_each_form():
    (plain,) = read("humaneval", HUMANEVAL)
    (plus,) = read("humaneval+", PLUS)
    (mbpp,) = read("mbpp", MBPP)

    assert plain.reference == plus.reference == "def f(x):\n    return x\n"
    assert plain.tests is not None
    assert plus.inputs is not None
    assert (plus.inputs.base, plus.inputs.plus) == (([1],), ([2],))
    assert (mbpp.id, mbpp.entry_point) == ("Mbpp/11", "f")
    assert mbpp.reference == "def f(x):\n    return x\n"


def test_the_short_form_of_mbpp_is_read_too():
    row = {"task_id": 11, "prompt": "Write f.", "code": "def f(x): return x", "test": ["f(1)"]}
    (found,) = read("mbpp", row)

    assert found.tests is not None
    assert found.tests.asserts == ("f(1)",)


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


@pytest.mark.parametrize(
    ("benchmark", "row", "reason"),
    [
        ("humaneval", [1], "not a JSON object"),
        ("humaneval", without(HUMANEVAL, "test"), "the field 'test' is missing"),
        ("humaneval", HUMANEVAL | {"prompt": 3}, "prompt is no text"),
        ("humaneval", HUMANEVAL | {"task_id": None}, "task_id is None"),
        ("humaneval", HUMANEVAL | {"task_id": "HumanEval/x"}, "invalid literal"),
        ("humaneval+", PLUS | {"base_input": []}, "base_input is empty"),
        ("humaneval+", PLUS | {"plus_input": [1]}, "plus_input is no list of lists"),
        ("humaneval+", PLUS | {"atol": "much"}, "could not convert"),
        ("mbpp", MBPP | {"test_list": "assert f(1)"}, "test_list is no list of texts"),
        ("mbpp", MBPP | {"test_list": []}, "index out of range"),
        ("mbpp", MBPP | {"code": "def f("}, "was never closed"),
        ("mbpp", MBPP | {"test_list": ["assert g(1)"]}, "no test calls"),
        ("mbpp+", PLUS | {"task_id": "Mbpp/2", "base_input": [[1, 2]]}, "not iterable"),
    ],
)
def test_a_bad_row_is_named_with_its_line(benchmark: str, row: Any, reason: str):
    good = {"humaneval": HUMANEVAL, "humaneval+": PLUS, "mbpp": MBPP}.get(benchmark, PLUS)
    with pytest.raises(DataProblem, match=r"^data\.jsonl:2: ") as caught:
        read(benchmark, good | {"task_id": "X/12"}, row)
    assert reason in caught.value.message


def test_a_row_twice_and_no_rows_at_all():
    with pytest.raises(DataProblem, match=r"data\.jsonl:2: the task HumanEval/0 occurs a second"):
        read("humaneval", HUMANEVAL, HUMANEVAL)
    with pytest.raises(DataProblem, match="has no tasks of mbpp"):
        read("mbpp", MBPP | {"task_id": 511})
    with pytest.raises(DataProblem, match=r"data\.jsonl:1: not JSON"):
        problems.read(BENCHMARKS["mbpp"], DataFile("data.jsonl", b"{", "", False))


@pytest.fixture(params=[*BENCHMARKS.values(), ALL_OF_MBPP], ids=[*BENCHMARKS, "all of mbpp"])
def published(request) -> tuple[Any, list[problems.Problem]]:
    if not (DATA / request.param.dataset.folder).is_dir():
        pytest.skip(f"no benchmark data at {DATA}; set ASSISTANT_DATA to its folder")
    return request.param, tasks_of(request.param)[1]


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_the_published_files_are_read_whole(published):
    benchmark, tasks = published
    numbers = [int(one.id.rpartition("/")[2]) for one in tasks]

    assert len(tasks) == benchmark.tasks
    assert numbers == sorted(set(numbers))
    for one in tasks:
        ast.parse(one.prompt if one.text else one.prompt + "    pass\n")
        names = {getattr(node, "name", None) for node in ast.walk(ast.parse(one.reference))}
        assert one.entry_point in names
        assert (one.tests is None) == (one.inputs is not None) == benchmark.plus


def test_arguments_that_json_can_not_write_have_their_shape_again():
    """The checksum is that of what the reader of evalplus 0.3.1 makes of the same file."""
    if not (DATA / "mbpp_plus").is_dir():
        pytest.skip(f"no benchmark data at {DATA}; set ASSISTANT_DATA to its folder")
    digest = hashlib.sha256()
    rules: Counter[Rule] = Counter()
    for one in tasks_of(BENCHMARKS["mbpp+"])[1]:
        assert one.inputs is not None
        rules[one.inputs.rule] += 1
        for name, calls in (("base_input", one.inputs.base), ("plus_input", one.inputs.plus)):
            digest.update(f"{one.id} {name} {[list(call) for call in calls]!r}\n".encode())

    assert digest.hexdigest() == "6f4dccd911df250c05fb15acc201d466457b3356ff08cb445dcccf77d097f860"
    assert (rules[Rule.SAME_SET], rules[Rule.NOT_NONE]) == (7, 3)
