"""Two evaluations compared: paired tasks only, tests of the difference, and what can not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.benchmarks import records, statistics
from assistant.benchmarks.comparison import compare, table
from assistant.benchmarks.records import FAIL, PASS, Record
from assistant.errors import DataProblem, UsageProblem

RUN = {
    "benchmark": "humaneval+",
    "dataset_sha256": "d",
    "judge": 1,
    "prompt": "p",
    "extraction": "e",
}


def evaluation(
    folder: Path, verdicts: dict[int, str], *, plus: bool = True, **changes: Any
) -> Path:
    """A folder with verdicts; each letter is a sample: `+` both pass, `b` base alone, `-` none."""
    records.claim(folder, RUN | changes)
    rows = [
        Record(
            f"HumanEval/{task}",
            number,
            PASS if letter in "+b" else FAIL,
            (PASS if letter == "+" else FAIL) if plus else None,
            "pass",
            "",
            "",
            "bubblewrap",
        )
        for task, letters in verdicts.items()
        for number, letter in enumerate(letters)
    ]
    records.sort_verdicts(folder, rows)
    records.write_summary(folder, {"plus": {} if not plus else {"tasks": len(verdicts)}})
    return folder


@pytest.fixture
def two(tmp_path):
    first = evaluation(tmp_path / "one", {0: "+", 1: "+", 2: "b", 3: "-", 10: "-", 5: "+"})
    second = evaluation(tmp_path / "two", {0: "+", 1: "b", 2: "+", 3: "+", 10: "+", 6: "+"})
    return compare(first, second)


def test_only_tasks_that_both_judged_are_compared(two):
    assert two["base"]["tasks"] == two["plus"]["tasks"] == 5
    assert two["base"]["only_in_first"] == ["HumanEval/5"]
    assert two["base"]["only_in_second"] == ["HumanEval/6"]


def test_differences_are_second_minus_first(two):
    assert (two["base"]["first_pass@1"], two["base"]["second_pass@1"]) == (0.6, 1.0)
    assert two["base"]["difference"] == pytest.approx(0.4)
    assert two["base"]["better_in_second"] == ["HumanEval/3", "HumanEval/10"]
    assert two["plus"]["better_in_first"] == ["HumanEval/1"]
    assert two["plus"]["better_in_second"] == ["HumanEval/2", "HumanEval/3", "HumanEval/10"]


def test_the_test_is_of_the_tasks_that_differ(two):
    assert two["base"]["mcnemar_p"] == statistics.mcnemar(0, 2)
    assert two["plus"]["mcnemar_p"] == statistics.mcnemar(1, 3)
    assert two["base"]["low"] <= two["base"]["difference"] <= two["base"]["high"]


def test_the_table_says_all_of_it(two):
    text = table(two)

    assert "base: 5 tasks; pass@1 60.0 % and 100.0 %" in text
    assert "difference +40.0 points" in text
    assert "McNemar's exact test: p = 0.5" in text
    assert "better in the first (1): HumanEval/1" in text
    assert "judged in the second alone (1): HumanEval/6" in text


def test_several_samples_a_task_have_shares_and_no_test_of_single_ones(tmp_path):
    first = evaluation(tmp_path / "one", {0: "++--", 1: "----"})
    second = evaluation(tmp_path / "two", {0: "+++-", 1: "+---"})
    found = compare(first, second)["base"]

    assert (found["first_pass@1"], found["second_pass@1"]) == (0.25, 0.5)
    assert (found["low"], found["high"]) == (0.25, 0.25)
    assert "mcnemar_p" not in found


def test_equal_runs_do_not_differ(tmp_path):
    verdicts = {0: "+", 1: "-"}
    found = compare(evaluation(tmp_path / "one", verdicts), evaluation(tmp_path / "two", verdicts))[
        "plus"
    ]

    assert (found["difference"], found["low"], found["high"]) == (0, 0, 0)
    assert found["mcnemar_p"] == 1.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"benchmark": "mbpp+"}, "of different benchmarks"),
        ({"dataset_sha256": "x"}, "their data differs"),
        ({"judge": 2}, "judged by different rules"),
        ({"prompt": "q"}, "not asked the same way"),
        ({"extraction": "f"}, "not taken from the answers the same way"),
    ],
)
def test_what_can_not_be_compared(tmp_path, change: dict[str, Any], reason: str):
    first = evaluation(tmp_path / "one", {0: "+"})
    second = evaluation(tmp_path / "two", {0: "+"}, **change)
    with pytest.raises(UsageProblem, match=reason):
        compare(first, second)


def test_a_benchmark_without_plus_has_no_such_part(tmp_path):
    folders = [
        evaluation(tmp_path / name, {0: "+"}, plus=False, benchmark="mbpp") for name in ("a", "b")
    ]

    assert set(compare(*folders)) == {"benchmark", "first", "second", "base"}


def test_folders_that_hold_nothing_of_use(tmp_path):
    good = evaluation(tmp_path / "good", {0: "+"})
    other = evaluation(tmp_path / "other", {1: "+"})
    unfinished = evaluation(tmp_path / "unfinished", {0: "+"})
    (unfinished / records.SUMMARY).unlink()

    with pytest.raises(DataProblem, match="have no task in common"):
        compare(good, other)
    with pytest.raises(DataProblem, match=r"no folder of a finished evaluation: it has no run\.js"):
        compare(good, tmp_path / "nowhere")
    with pytest.raises(DataProblem, match=r"it has no summary\.json"):
        compare(good, unfinished)
