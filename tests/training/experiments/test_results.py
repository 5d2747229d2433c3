"""The numbers of a table against counts by hand, from answers that were invented."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from assistant.benchmarks import codebleu
from assistant.benchmarks.statistics import mcnemar
from training import files
from training.experiments import results, score, sets
from training.experiments.work import Work

NANO = sets.find("nano")
PASSED = {
    # By arm and seed, the seven questions of the set nano: four held out, three others.
    "token-loss": {1: "1000 100", 2: "1100 100"},
    "straight-through": {1: "1110 101", 2: "1100 111"},
}


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def invented(nano_set, tmp_path) -> Work:
    """The finished set with other outcomes, as if these had been judged."""
    out = tmp_path / "set"
    shutil.copytree(nano_set, out, symlinks=True)
    for arm, by_seed in PASSED.items():
        for seed, passed in by_seed.items():
            _rewrite(out / arm / f"seed-{seed}", passed.replace(" ", ""))
    return Work(NANO, 2, out)


def _rewrite(run: Path, passed: str) -> None:
    name = "evaluation.answers.jsonl"
    rows = _rows(run / name)
    assert len(rows) == len(passed)
    for row, one in zip(rows, passed, strict=True):
        row["passed"] = one == "1"
        row["syntax"] = 0.25 if one == "1" else 0.75
    files.write_lines(run / name, map(json.dumps, rows))
    record = json.loads((run / "experiment.json").read_text(encoding="utf-8"))
    record["outputs"][name] = files.digest(run / name)
    files.write_json(run / "experiment.json", record)


def _arm(found: dict, questions: str, arm: str) -> dict:
    return next(row for row in found["questions"][questions]["arms"] if row["arm"] == arm)


def test_the_numbers_are_those_of_a_count_by_hand(invented):
    found = results.write(invented)

    assert {name: asked["problems"] for name, asked in found["questions"].items()} == {
        "heldout": 4, "validation": 3, "all": 7,
    }  # fmt: skip
    token, real = (_arm(found, "all", name) for name in PASSED)
    assert token["pass@1"]["value"] == pytest.approx(5 / 14)
    assert real["pass@1"]["value"] == pytest.approx(10 / 14)
    assert token["by_seed"] == pytest.approx([2 / 7, 3 / 7])
    assert _arm(found, "heldout", "straight-through")["pass@1"]["value"] == pytest.approx(5 / 8)
    assert real["syntax"]["value"] == pytest.approx((10 * 0.25 + 4 * 0.75) / 14)
    assert token["difference"] is None
    change = real["difference"]
    assert change["value"] == pytest.approx(5 / 14)
    assert (change["only_first"], change["only_second"], change["cells"]) == (0, 5, 14)
    # Two arms are one comparison: nothing to correct.
    assert change["p_holm"] == change["p"]
    assert change["low"] <= change["value"] <= change["high"]


def test_one_seed_is_tested_as_pairs(invented):
    found = results.collect(Work(NANO, 1, invented.out))
    change = _arm(found, "all", "straight-through")["difference"]

    # Seed 1: three questions more, none less.
    assert change["p"] == pytest.approx(mcnemar(0, 3)) == 0.25


def test_an_answer_without_a_verdict_is_neither_passed_nor_failed(invented):
    run = invented.out / "token-loss/seed-1"
    rows = _rows(run / "evaluation.answers.jsonl")
    rows[0]["passed"] = None
    files.write_lines(run / "evaluation.answers.jsonl", map(json.dumps, rows))
    record = json.loads((run / "experiment.json").read_text(encoding="utf-8"))
    record["outputs"]["evaluation.answers.jsonl"] = files.digest(run / "evaluation.answers.jsonl")
    files.write_json(run / "experiment.json", record)

    found = results.collect(invented)

    assert _arm(found, "all", "token-loss")["pass@1"]["value"] == pytest.approx(4 / 13)
    assert _arm(found, "all", "straight-through")["difference"]["cells"] == 13


@pytest.mark.parametrize(
    ("outcome", "passed"),
    [("pass", True), ("wrong", False), ("timeout", False), ("no code", False),
     ("sandbox unavailable", None), ("not checked", None), ("parsed", None)],
)  # fmt: skip
def test_only_what_was_found_out_is_a_verdict(outcome, passed):
    assert score.verdict(outcome) is passed


def test_answers_that_were_changed_are_not_in_the_table(invented):
    path = invented.out / "token-loss/seed-2/evaluation.answers.jsonl"
    path.write_text(path.read_text("utf-8").replace('"passed": true', '"passed": false'), "utf-8")

    found = results.collect(invented)

    states = {arm["name"]: [run["status"] for run in arm["runs"]] for arm in found["arms"]}
    assert states["token-loss"] == ["done", "not run"]


def test_structural_scores_and_floors_are_those_of_codebleu(nano_set):
    """Computed again from the answers and the references, outside of the step."""
    from training import question_sets
    from training.experiments import one_run
    from training.experiments.work import runs_of
    from training.stages import Job

    one = runs_of(Work(NANO, 2, nano_set))[0]
    job = Job(one_run.steps(one)[0], one.recipe, one.common, one.out, None, "")
    rows = {(row["set"], row["id"]): row for row in _rows(one.out / "evaluation.answers.jsonl")}
    scores = json.loads((one.out / "evaluation.scores.json").read_text(encoding="utf-8"))["sets"]
    for name, questions in question_sets.all_sets(job):
        pairs = [codebleu.Pair(q.id, q.code, rows[name, q.id]["code"]) for q in questions]
        found = codebleu.score(pairs)
        assert dict(found.syntax.values) == {q.id: rows[name, q.id]["syntax"] for q in questions}
        assert scores[name]["syntax"]["floor"] == pytest.approx(found.syntax.floor.mean)
        assert scores[name]["data_flow"]["mean"] == found.data_flow.mean


def test_losses_and_cost_come_from_the_run(nano_set):
    found = json.loads((nano_set / results.RESULTS).read_text(encoding="utf-8"))
    token, real = found["arms"]
    for arm in (token, real):
        metrics = [_rows(nano_set / run["folder"] / "adapter/metrics.jsonl") for run in arm["runs"]]
        last = [steps[-1]["token_loss"] for steps in metrics]
        assert len(metrics[0]) < 15  # so that the last tenth is one step
        assert arm["end"]["token_loss"] == pytest.approx(sum(last) / len(last))
        for run, steps in zip(arm["runs"], metrics, strict=True):
            assert run["tokens"] == sum(step["tokens"] for step in steps)
            assert run["cost"]["cpu_seconds"] > 0
            assert set(run["cost"]["stages"]) == {"adapter", "merge", "gguf", "score", "samples"}
    assert token["end"]["structural_loss"] == token["end"]["gradient_ratio"] == 0.0
    assert real["end"]["gradient_ratio"] > 0


def test_every_arm_has_the_command_that_makes_its_numbers(nano_set):
    found = json.loads((nano_set / results.RESULTS).read_text(encoding="utf-8"))
    for arm in found["arms"]:
        assert arm["command"] == (
            f"assistant experiments nano --seeds 2 --arm {arm['name']} --out {nano_set}"
        )


def test_drawn_answers_have_a_distance_from_the_reference(nano_set):
    rows = _rows(nano_set / "token-loss/seed-1/samples.jsonl")
    assert [row["sample"] for row in rows[:4]] == [0, 1, 0, 1]
    assert len(rows) == 7 * NANO.samples
    known = [row["l_s"] for row in rows if row["l_s"] is not None]
    assert all(0 <= value <= 2 for value in known)
    assert all((row["l_s"] is None) == (not row["code"].strip()) for row in rows)


def test_a_program_is_at_no_distance_from_itself(nano_set):
    from training.experiments import nearness, one_run
    from training.experiments.work import runs_of
    from training.stages import Job

    one = runs_of(Work(NANO, 1, nano_set))[0]
    job = Job(one_run.steps(one)[1], one.recipe, one.common, one.out, None, "")
    code = "def f(x):\n    return x + 1\n"
    # Longer than the encoder sees at once.
    long = code * 60

    same, empty, other, windows = nearness.distances(
        job, [(code, code), ("", code), ("import os\n", code), (long, long)]
    )

    assert same == windows == 0.0
    assert empty is None
    assert other > 0
