"""Scores: intervals, what counts as passed, and that no question was trained on."""

from __future__ import annotations

import dataclasses
import json

import pytest

from assistant.cli.main import main
from assistant.errors import UsageProblem
from assistant.models.store import embedded_path
from assistant.sandbox import layers
from tests.support.benchmark_runs import made_up
from training import evaluate, problems, question_sets
from training.chain import CHAIN
from training.recipes import find
from training.stages import Job
from training.world import Problem


def _job(nano) -> Job:
    stage = next(stage for stage in CHAIN if stage.name == "evaluate")
    return Job(stage, "nano", find("nano").settings, nano, None, "")


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)  # fmt: skip
def test_the_interval_is_wilsons(passed, total, low, high):
    found = evaluate.wilson(passed, total)
    assert found == pytest.approx((low, high), abs=2e-4)


def test_without_a_trial_anything_is_possible():
    assert evaluate.wilson(0, 0) == (0.0, 1.0)


def test_no_question_has_a_structure_or_a_text_that_was_trained_on(nano):
    trained = list(problems.read(nano / "problems.jsonl", "train"))
    structures = {problem.structure for problem in trained}
    texts = {(problem.request, problem.code) for problem in trained}
    sets = dict(question_sets.all_sets(_job(nano)))
    assert sets["heldout"]
    assert sets["validation"]
    assert not {q.structure for q in sets["heldout"]} & structures
    assert {q.structure for q in sets["validation"]} <= structures
    for questions in sets.values():
        assert not {(q.request, q.code) for q in questions} & texts
        assert len({q.structure for q in questions}) == len(questions)


def _answer(problem: Problem, code: str) -> str:
    return (
        f"## Intent\n{problem.name}\n## Steps\n1. do it\n## Formulas\nNone\n"
        f"## Edge cases\n- none\n## Code\n```python\n{code}```"
    )


@pytest.fixture(scope="module")
def question(some_problems) -> Problem:
    return next(p for p in some_problems if p.signature is not None)


@pytest.fixture(scope="module")
def nameless(some_problems) -> Problem:
    return next(p for p in some_problems if p.form == "none")


def test_answers_are_judged_by_running_them(question):
    wrong = f"def {question.name}(*_):\n    return 'wrong'\n"
    texts = [
        _answer(question, question.code),
        _answer(question, wrong),
        _answer(question, "def f(:\n"),
        "## Intent\nnothing more",
        _answer(question, question.code).removesuffix("```"),
    ]
    answers = evaluate.judge([question] * len(texts), texts, workers=2)
    assert [a.outcome for a in answers] == ["pass", "wrong", "error", "no code", "pass"]
    assert [a.complete for a in answers] == [True, True, True, False, False]
    summary = evaluate.summarise(answers)
    assert (summary["problems"], summary["passed"], summary["format_not_followed"]) == (5, 2, 2)


def test_any_name_is_right_when_the_request_gives_none(nameless):
    other = nameless.code.replace(nameless.name, "some_other_name")
    (answer,) = evaluate.judge([nameless], [_answer(nameless, other)], workers=1)
    assert answer.outcome == "pass"


def test_a_wrong_name_is_wrong_when_the_request_gives_one(question):
    other = question.code.replace(question.name, "some_other_name")
    (answer,) = evaluate.judge([question], [_answer(question, other)], workers=1)
    assert answer.outcome != "pass"


def test_the_report_shows_the_first_answers_not_the_best(nano):
    report = json.loads((nano / "evaluation.json").read_text(encoding="utf-8"))
    for name, found in report["sets"].items():
        ids = [q.id for q in dict(question_sets.all_sets(_job(nano)))[name]]
        shown = [example["id"] for example in found["examples"]["first"]]
        assert shown == ids[: len(shown)]
        assert sum(found["outcomes"].values()) == found["problems"] == len(ids)


def test_the_card_says_what_was_measured(nano):
    card = (nano / "MODEL_CARD.md").read_text(encoding="utf-8")
    report = json.loads((nano / "evaluation.json").read_text(encoding="utf-8"))
    assert "assistant train nano --out DIR" in card
    for found in report["sets"].values():
        low, high = found["interval95"]
        assert f"| {found['problems']} | {found['pass@1']:.1%} | {low:.1%} to {high:.1%} |" in card


@pytest.fixture
def scored(tmp_path):
    """The embedded model as a run's file, with three tasks of HumanEval's form."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.gguf").symlink_to(embedded_path())
    return made_up(tmp_path / "HumanEval.jsonl", 3)


def _scoring_job(out, data, **changes) -> Job:
    settings = find("nano").settings
    few = {"benchmarks": "humaneval", "max_new_tokens": 1024, "workers": 1} | changes
    settings = dataclasses.replace(settings, evaluate=dataclasses.replace(settings.evaluate, **few))
    stage = next(stage for stage in CHAIN if stage.name == "evaluate")
    return Job(stage, "nano", settings, out, data, "")


@pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")
def test_the_numbers_are_those_of_assistant_eval(scored, tmp_path):
    evaluate.make(_scoring_job(tmp_path / "run", scored))
    command = ["eval", "humaneval", "--model", "starter", "--data", str(scored)]
    try:
        assert main([*command, "--out", str(tmp_path / "eval")]) == 0
    finally:
        main(["stop"])
    ours = tmp_path / "run" / "evaluation" / "humaneval"
    for name in ("samples.jsonl", "verdicts.jsonl"):
        assert (ours / name).read_bytes() == (tmp_path / "eval" / name).read_bytes()
    theirs = json.loads((tmp_path / "eval" / "summary.json").read_text())
    report = json.loads((tmp_path / "run" / "evaluation.json").read_text())["sets"]["humaneval"]
    assert report["pass@1"] == theirs["base"]["pass@1"]["value"]
    assert report["structure"] == theirs["structure"]
    assert report["problems"] == 3
    assert main(["eval-compare", str(ours), str(tmp_path / "eval")]) == 0


@pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")
def test_answers_that_are_there_are_not_asked_for_again(scored, tmp_path):
    out = tmp_path / "run"
    evaluate.make(_scoring_job(out, scored, limit=1))
    path = out / "evaluation" / "humaneval" / "samples.jsonl"
    row = json.loads(path.read_text()) | {"solution": "def add(a):\n    return a + 0\n"}
    path.write_text(json.dumps(row) + "\n" + '{"task_id": "Hum')
    (path.parent / "verdicts.jsonl").unlink()
    evaluate.make(_scoring_job(out, scored, limit=2))
    assert json.loads(path.read_text().splitlines()[0]) == row
    report = json.loads((out / "evaluation.json").read_text())["sets"]["humaneval"]
    assert (report["problems"], report["passed"] >= 1) == (2, True)
    # Longer answers are another evaluation, and begin anew.
    evaluate.make(_scoring_job(out, scored, limit=1, max_new_tokens=3))
    (again,) = map(json.loads, path.read_text().splitlines())
    assert again["end"] == "length"


def test_a_benchmark_without_its_data_is_not_run(scored, tmp_path, capfd):
    out = tmp_path / "run"
    evaluate.make(_scoring_job(out, tmp_path / "empty", benchmarks="mbpp+, humaneval"))
    report = json.loads((out / "evaluation.json").read_text())["sets"]
    assert list(report) == ["mbpp+", "humaneval"]
    for found in report.values():
        assert str(tmp_path / "empty") in found["not_run"]
        assert "--stage evaluate" in found["run_it"]
        assert "pass@1" not in found
    assert "not run" in capfd.readouterr().err


def test_an_unknown_benchmark_is_named(scored, tmp_path):
    with pytest.raises(UsageProblem, match="humanevil"):
        evaluate.make(_scoring_job(tmp_path / "run", scored, benchmarks="humanevil"))
