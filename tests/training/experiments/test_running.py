"""Sets as a whole: what is shared, what is gone on with, what fails alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assistant import runs
from assistant.cli.main import main
from assistant.errors import TrainingProblem
from training.chain import CHAIN
from training.experiments import benchmarked, one_run, results, running, sets
from training.experiments.sets import Arm
from training.experiments.work import Work
from training.stages import Job

SEEDS = 2
MADE = ("adapter/adapter_model.safetensors", "evaluation.answers.jsonl", "samples.jsonl")
NANO = sets.find("nano")


def _shared(out: Path) -> list[Path]:
    return sorted(path for path in (out / "shared").iterdir() if path.is_dir())


def _copied(nano_set: Path, out: Path, *arms: str) -> Path:
    """The set's folder with the shared stages and the runs of some arms."""
    for name in ("shared", *arms):
        shutil.copytree(nano_set / name, out / name, symlinks=True)
    return out


def _stamps(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("results.", ".lock", "set.json"))
    }


def test_arms_and_seeds_share_what_does_not_depend_on_them(nano_set):
    (shared,) = _shared(nano_set)
    for arm in NANO.arms:
        for seed in range(1, SEEDS + 1):
            run = nano_set / arm.name / f"seed-{seed}"
            assert (run / "base/model.safetensors").samefile(shared / "base/model.safetensors")
            # What a stage writes in place must not be the shared file.
            assert not (run / "base/metrics.jsonl").samefile(shared / "base/metrics.jsonl")


def test_seeds_and_arms_make_different_adapters(nano_set):
    found = {
        (nano_set / arm.name / f"seed-{seed}" / MADE[0]).read_bytes()
        for arm in NANO.arms
        for seed in range(1, SEEDS + 1)
    }
    assert len(found) == len(NANO.arms) * SEEDS


def test_all_arms_and_seeds_are_asked_the_same_questions(nano_set):
    asked = [
        [(row["set"], row["id"]) for row in map(json.loads, path.read_text("utf-8").splitlines())]
        for path in sorted(nano_set.glob("*/seed-*/evaluation.answers.jsonl"))
    ]
    assert len(asked) == len(NANO.arms) * SEEDS
    assert asked[0] and all(one == asked[0] for one in asked)


def test_a_finished_set_is_left_alone(nano_set, capfd):
    before = _stamps(nano_set)
    table = (nano_set / results.RESULTS).read_bytes()
    assert main(["experiments", "nano", "--seeds", str(SEEDS), "--out", str(nano_set)]) == 0
    assert _stamps(nano_set) == before
    assert (nano_set / results.RESULTS).read_bytes() == table
    said = capfd.readouterr()
    assert said.err.count("is done before") == len(NANO.arms) * SEEDS
    assert "| token-loss |" in said.out


@pytest.mark.skipif(os.name == "nt", reason="kills a process of its own")
def test_a_killed_run_goes_on_to_the_same_bytes(nano_set, tmp_path):
    """Killed in the adapter's training, then the same command again."""
    out = tmp_path / "killed"
    arguments = ["experiments", "nano", "--seeds", "1", "--arm", "token-loss"]
    arguments += ["--out", str(out), "--shared", str(nano_set / "shared")]
    process = subprocess.Popen(
        [sys.executable, "-m", "assistant", *arguments], stderr=subprocess.PIPE
    )
    checkpoint = out / "token-loss/seed-1/checkpoints/adapter.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "token-loss/seed-1" / MADE[1]).exists()

    assert main(arguments) == 0

    for name in MADE:
        one, other = (folder / "token-loss/seed-1" / name for folder in (out, nano_set))
        assert one.read_bytes() == other.read_bytes(), name
    found = json.loads((out / results.RESULTS).read_text("utf-8"))
    states = {arm["name"]: [run["status"] for run in arm["runs"]] for arm in found["arms"]}
    assert states == {"token-loss": ["done"], "straight-through": ["not run"]}


def test_answers_that_were_given_are_not_asked_again(nano_set, tmp_path, capfd):
    """The step `score` stopped between two answers."""
    out = _copied(nano_set, tmp_path / "set", "token-loss", "straight-through")
    run = out / "token-loss/seed-1"
    given = run / "score/heldout.jsonl"
    lines = given.read_text("utf-8").splitlines(keepends=True)
    assert len(lines) == 1 + 4  # the key, and an answer a line
    invented = json.dumps("## Code\n```python\nx = 1\n```") + "\n"
    given.write_text("".join([lines[0], invented, lines[2][:5]]), encoding="utf-8")
    for name in ("experiment.json", "evaluation.answers.jsonl", "stages/score.json"):
        (run / name).unlink()

    assert running.run_set(Work(NANO, SEEDS, out)) == 0

    rows = list(map(json.loads, (run / MADE[1]).read_text("utf-8").splitlines()))
    before = (nano_set / "token-loss/seed-1" / MADE[1]).read_text("utf-8").splitlines()
    assert rows[0]["code"] == "x = 1\n"
    assert [json.dumps(row) for row in rows[1:]] == before[1:]


def test_an_arm_that_fails_is_a_row_and_the_others_go_on(nano_set, tmp_path, capfd):
    out = _copied(nano_set, tmp_path / "set", "straight-through")
    missing = Arm(
        "no-encoder", "an encoder that is not there", ("structural.encoder=codebert",
                                                       "structural.folder=/nowhere/at|all"),
    )  # fmt: skip
    chosen = replace(NANO, arms=(missing, *NANO.arms[1:]), reference="straight-through")
    work = Work(chosen, 1, out)

    assert running.run_set(work) == 1

    said = capfd.readouterr().err
    assert "no-encoder, seed 1 (1 of 2) failed: the encoder codebert can not be loaded" in said
    found = json.loads((out / results.RESULTS).read_text("utf-8"))
    broken, fine = found["arms"]
    assert broken["runs"][0]["status"] == "failed"
    assert "/nowhere/at|all" in broken["runs"][0]["reason"]
    assert fine["runs"][0]["status"] == "done"
    table = (out / results.MARKDOWN).read_text("utf-8")
    assert "| no-encoder | 1 | failed |" in table and "/nowhere/at\\|all" in table
    # Tried again, it fails again: nothing of the failure was taken for done.
    assert running.run_set(work) == 1


def test_what_arms_have_in_common_is_made_before_the_first_of_them(nano_set, tmp_path, monkeypatch):
    """A teacher that costs money by the hour can go when the first run begins."""
    out = _copied(nano_set, tmp_path / "set")
    other = Arm("other-encoder", "one more thing to share", ("encoder.steps=2",))
    work = Work(replace(NANO, arms=(*NANO.arms, other)), 1, out)
    shared: list[int] = []

    def stop(one: object, made: Path) -> None:
        shared.append(len(_shared(out)))
        raise TrainingProblem("enough")

    monkeypatch.setattr(one_run, "perform", stop)
    assert running.run_set(work) == 3
    assert shared == [2, 2, 2]


def test_a_benchmark_that_was_not_run_is_no_result(nano_set, tmp_path):
    """The run says why, and its evaluation does not count as done whatever --data names next."""
    run = _copied(nano_set, tmp_path / "set", "straight-through") / "straight-through/seed-1"
    recipe, settings = sets.settings_of(NANO, NANO.arms[0], 1, ["evaluate.benchmarks=humaneval"])
    why = {"sets": {"humaneval": {"not_run": "no such folder: /nowhere"}}}
    (run / "evaluation.json").write_text(json.dumps(why), encoding="utf-8")
    (run / "stages/evaluate.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TrainingProblem, match="not all benchmarks were run: no such folder"):
        benchmarked.all_of(Job(CHAIN[-1], recipe, settings, run, None, "key"))
    assert not (run / "stages/evaluate.json").exists()


def test_a_shared_stage_that_fails_fails_its_arms_once(nano_set, tmp_path, capfd):
    """The base can not be made; both arms say so, the stage is tried a single time."""
    out = tmp_path / "set"
    (out / "shared").mkdir(parents=True)
    work = Work(replace(NANO, changes=(*NANO.changes, "model.heads=0")), 1, out)
    # What does not need the broken shape is taken from the finished set.
    (first,) = _shared(nano_set)
    shutil.copytree(first, out / "shared" / first.name, symlinks=True)

    assert running.run_set(work) == len(NANO.arms)

    found = json.loads((out / results.RESULTS).read_text("utf-8"))
    reasons = [run["reason"] for arm in found["arms"] for run in arm["runs"]]
    assert len(set(reasons)) == 1 and reasons[0]
    (made,) = (path for path in _shared(out) if path.name != first.name)
    started = [event for _, event in runs.read(made) if isinstance(event, runs.RunStarted)]
    assert [event.stages for event in started].count(("base",)) == 1
    assert found["questions"] == {}


def test_a_base_with_other_settings_takes_over_what_it_has_in_common(nano_set, tmp_path):
    """Another encoder: problems, reasoning, tokenizer and base are linked, not made again."""
    from training.experiments import folders

    out = tmp_path / "shared"
    (first,) = _shared(nano_set)
    shutil.copytree(first, out / first.name, symlinks=True)
    recipe, settings = sets.settings_of(NANO, NANO.arms[0], 1, ["encoder.steps=2"])

    made = folders.make_shared(recipe, settings, out, None)

    assert made.name != first.name
    assert (made / "base/model.safetensors").samefile(out / first.name / "base/model.safetensors")
    other = (out / first.name / "encoder/model.safetensors").read_bytes()
    assert (made / "encoder/model.safetensors").read_bytes() != other


def test_a_folder_with_another_set_is_refused(nano_set, capfd):
    assert main(["experiments", "world-arms", "--out", str(nano_set)]) == 2
    assert "holds the set nano" in capfd.readouterr().err


def test_other_settings_are_other_runs(nano_set, capfd):
    """A table must not mix runs of two settings: those that do not fit are not in it."""
    work = Work(NANO, SEEDS, nano_set, ("adapter.lr=0.5",))
    found = results.collect(work)
    assert {run["status"] for arm in found["arms"] for run in arm["runs"]} == {"not run"}
