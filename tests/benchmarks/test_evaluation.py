"""Real evaluations in the sandbox: verdicts, what resumes, what could not be judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.benchmarks import data, evaluation, problems, records, samples
from assistant.benchmarks.catalogue import BENCHMARKS
from assistant.sandbox import layers
from tests.support.benchmark_runs import Quiet, made_up, right, write_rows, wrong

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")


def run(
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    benchmark: str = "humaneval+",
    tasks: int = 4,
    limit: int | None = None,
    teller: Quiet | None = None,
    workers: int = 2,
) -> dict[str, Any]:
    """Evaluate on a benchmark that is made up here."""
    chosen = BENCHMARKS[benchmark]
    folder.mkdir(exist_ok=True)
    file = data.load(chosen.dataset, made_up(folder / "data.jsonl", tasks, plus=chosen.plus))
    read = problems.read(chosen, file)
    found = samples.read(write_rows(folder / "s.jsonl", rows), {one.id: one for one in read})
    identity = evaluation.identity_of(chosen, file, {"samples_sha256": found.sha256})
    asked = evaluation.Evaluation(chosen, file, read, limit, found, folder, identity, workers)
    return evaluation.evaluate(asked, teller or Quiet())


def verdicts(folder: Path) -> list[tuple[str, int, str, str | None, str]]:
    return [
        (one.task_id, one.sample, one.base, one.plus, one.outcome)
        for one in records.read_verdicts(folder).values()
    ]


def solution(task: int, text: str) -> dict[str, Any]:
    return {"task_id": task, "solution": text}


def test_base_and_plus_are_judged_apart(tmp_path):
    result = run(
        tmp_path,
        [
            right(0),
            solution(1, "def add(a):\n    return abs(a) + 1\n"),
            wrong(2),
            solution(3, "def add(a):\n    return missing\n"),
        ],
    )

    assert verdicts(tmp_path) == [
        ("HumanEval/0", 0, "pass", "pass", "pass"),
        ("HumanEval/1", 0, "pass", "fail", "wrong"),
        ("HumanEval/2", 0, "fail", "fail", "wrong"),
        ("HumanEval/3", 0, "fail", "fail", "error"),
    ]
    assert (result["base"]["passed"], result["plus"]["passed"]) == (2, 1)
    assert result["base"]["pass@1"]["value"] == 0.5
    assert result["base"]["pass@1"]["interval"] == "Wilson, 95%"
    assert evaluation.exit_code(result) == 0
    found = records.read_verdicts(tmp_path)
    assert found["HumanEval/1", 0].where == "plus 0"
    assert found["HumanEval/2", 0].where == "base 0"
    assert found["HumanEval/3", 0].kind == "NameError"


def test_asserts_are_judged_where_there_are_no_inputs(tmp_path):
    result = run(tmp_path, [right(0), wrong(1)], benchmark="humaneval")

    assert verdicts(tmp_path) == [
        ("HumanEval/0", 0, "pass", None, "pass"),
        ("HumanEval/1", 0, "fail", None, "wrong"),
    ]
    assert result["plus"] is None
    assert result["tasks_without_samples"] == ["HumanEval/2", "HumanEval/3"]


FAILING = (
    "class Same:\n    def __eq__(self, other): return True\ndef add(a): return Same()\n",
    "import os\nos._exit(0)\n",
    "import sys\nsys.exit(0)\n",
    "def add(a):\n    import os\n    os._exit(0)\n",
    "",
    "\ufeff",
    "def add(a: return",
    "(" * 900_000,
    "lambda: " * 100_000 + "1",
    "add = None\n",
    "def add(): return 1\n",
    "def add(a):\n    while True: pass\n",
    "raise KeyboardInterrupt\n",
    "def add(a): return float(a + 1) + 1e-3\n",
)


def test_what_fails_is_judged_and_harms_no_other(tmp_path):
    """The good ones stand between the bad ones."""
    count = len(FAILING)
    rows = []
    for n, program in enumerate(FAILING):
        rows += [solution(n, program), right(n + count)]
    result = run(tmp_path, rows, tasks=2 * count)

    bad, good = verdicts(tmp_path)[:count], verdicts(tmp_path)[count:]
    assert [one[2:4] for one in bad] == [("fail", "fail")] * count
    assert [one[2:4] for one in good] == [("pass", "pass")] * count
    assert result["not_judged"] == []
    assert result["outcomes"]["timeout"] == 1


def test_several_samples_a_task_give_unbiased_estimates(tmp_path):
    rows = [right(n) if n == i else wrong(n) for n in (1, 2) for i in range(4)]
    result = run(tmp_path, rows, benchmark="humaneval")

    assert result["base"]["samples_per_task"] == [4, 4]
    assert result["base"]["pass@1"]["value"] == 0.25
    assert "pass@10" not in result["base"]
    assert "bootstrap" in result["base"]["pass@1"]["interval"]


ROWS = [right(0), wrong(1), right(2), wrong(3)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(folder, ROWS)
    return folder


class TestResuming:
    """What is judged is not judged again; the end is the same bytes."""

    @pytest.mark.parametrize("kept", [0, 1, 3, 4])
    def test_from_any_state(self, tmp_path, undisturbed: Path, kept: int):
        lines = (undisturbed / records.VERDICTS).read_bytes().splitlines(keepends=True)
        torn = lines[kept][:30] if kept < len(lines) else b'{"task_id": "Hum'
        # As they come: in no order, and the last one torn.
        (tmp_path / records.VERDICTS).write_bytes(b"".join(lines[:kept][::-1]) + torn)
        teller = Quiet()
        run(tmp_path, ROWS, teller=teller)

        for name in (records.VERDICTS, records.SUMMARY):
            assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()
        if 0 < kept < 4:
            assert f"{kept} of 4 samples are judged already." in teller.said
            assert f"samples judged: {kept} of 4" in teller.said

    def test_what_is_kept_is_believed(self, tmp_path, undisturbed: Path):
        """The proof that nothing is judged twice: a verdict that judging would not give."""
        lines = (undisturbed / records.VERDICTS).read_text()
        (tmp_path / records.VERDICTS).write_text(lines.replace('"fail"', '"pass"'))

        assert run(tmp_path, ROWS)["plus"]["passed"] == 4

    def test_a_smaller_limit_keeps_the_verdicts_beyond_it(self, tmp_path):
        run(tmp_path, ROWS)
        before = verdicts(tmp_path)
        result = run(tmp_path, ROWS, limit=2)

        assert result["base"]["tasks"] == 2
        assert verdicts(tmp_path) == before

    def test_a_larger_limit_judges_the_rest(self, tmp_path):
        teller = Quiet()
        run(tmp_path, ROWS, limit=1)
        run(tmp_path, ROWS, teller=teller)

        assert len(verdicts(tmp_path)) == 4
        assert "1 of 4 samples are judged already." in teller.said

    def test_the_number_of_workers_changes_nothing(self, tmp_path, undisturbed: Path):
        run(tmp_path, ROWS, workers=1)

        for name in (records.VERDICTS, records.SUMMARY):
            assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()


class TestNotJudged:
    """What keeps a sample from being judged is no verdict on it."""

    def test_without_a_sandbox_nothing_is_judged_and_nothing_fails(self, tmp_path, monkeypatch):
        monkeypatch.setattr("assistant.sandbox.layers", lambda: ())
        result = run(tmp_path, [right(0), wrong(1)])

        assert verdicts(tmp_path) == []
        assert [one["task"] for one in result["not_judged"]] == ["HumanEval/0", "HumanEval/1"]
        assert all("sandbox unavailable" in one["reason"] for one in result["not_judged"])
        assert result["excluded_tasks"] == ["HumanEval/0", "HumanEval/1"]
        assert "pass@1" not in result["base"]
        assert evaluation.exit_code(result) == 3

    def test_a_sample_that_is_lost_is_judged_by_the_next_run(self, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr("assistant.sandbox.layers", lambda: ())
            run(tmp_path, [right(0)])
        result = run(tmp_path, [right(0)])

        assert (result["not_judged"], result["base"]["passed"]) == ([], 1)

    def test_a_reference_that_fails_is_the_data_s_fault(self, tmp_path):
        chosen = BENCHMARKS["humaneval+"]
        file = data.load(chosen.dataset, made_up(tmp_path / "d.jsonl", 2, plus=True))
        first, second = problems.read(chosen, file)
        broken = replace(first, reference="def add(a):\n    raise ValueError\n")
        path = write_rows(tmp_path / "s.jsonl", [right(0), right(1)])
        found = samples.read(path, {one.id: one for one in (first, second)})
        asked = evaluation.Evaluation(
            chosen, file, [broken, second], None, found, tmp_path, {"benchmark": "humaneval+"}, 1
        )
        result = evaluation.evaluate(asked, Quiet())

        assert [one["task"] for one in result["not_judged"]] == ["HumanEval/0"]
        assert "reference solution of HumanEval/0" in result["not_judged"][0]["reason"]
        assert verdicts(tmp_path) == [("HumanEval/1", 0, "pass", "pass", "pass")]

    def test_lines_that_can_not_be_used_count(self, tmp_path):
        result = run(tmp_path, [right(0), {"task_id": 1}, {"task_id": 99, "solution": ""}])

        assert [one["line"] for one in result["rejected"]] == [2, 3]
        assert result["excluded_tasks"] == ["HumanEval/1"]
        assert evaluation.exit_code(result) == 3


def test_the_structural_scores_stand_beside_pass_at_1(tmp_path):
    result = run(tmp_path, [right(0), right(1)], benchmark="humaneval")

    assert result["structure"]["syntax"]["mean"] > 0.5
    assert result["structure"]["syntax"]["floor"]["mean"] is not None
    json.dumps(result)
