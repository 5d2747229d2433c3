"""Runs as a whole: the same bytes every time, whatever happens on the way.

Soak: `make test-soak` kills at every file that a run writes, here at some.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant import runs
from assistant.cli.main import main
from tests.support.training_runs import COMPARED, differing, train, train_dying
from training import files

SIGKILLED = -signal.SIGKILL


def _killed_again_and_again(out: Path, moment: str, files_each: int) -> int:
    """Resume a run that dies each time after some more files; how often it died.

    The first file of each attempt is that of the settings, which is no progress.
    """
    for deaths in range(200):
        done = train_dying(moment, files_each, "nano", "--out", str(out), "--resume")
        if done.returncode == 0:
            return deaths
        assert done.returncode == SIGKILLED, done.stderr
    raise AssertionError("the run never ended")


def test_the_same_settings_give_the_same_bytes(nano, tmp_path):
    assert main(["train", "nano", "--out", str(tmp_path / "again")]) == 0
    assert differing(nano, tmp_path / "again") == []


def test_a_run_killed_at_its_files_and_resumed_gives_the_same_bytes(nano, tmp_path):
    assert _killed_again_and_again(tmp_path, "before", 11) >= 3
    assert differing(nano, tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_each_of_its_files_gives_the_same_bytes(nano, tmp_path, moment):
    for count in range(1, 200):
        out = tmp_path / str(count)
        if train_dying(moment, count, "nano", "--out", str(out)).returncode == 0:
            break
        done = train("nano", "--out", str(out), "--resume")
        assert done.returncode == 0, done.stderr
        assert differing(nano, out) == []
    assert count > 30


@pytest.mark.parametrize("stage", ["base", "adapter"])
def test_a_run_killed_in_mid_step_gives_the_same_bytes(nano, tmp_path, stage):
    out = tmp_path / "killed"
    _copy_before(nano, out, stage)
    command = [sys.executable, "-m", "assistant", "train", "nano", "--out", str(out)]
    process = subprocess.Popen([*command, "--stage", stage], stderr=subprocess.PIPE)
    checkpoint = out / "checkpoints" / f"{stage}.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert checkpoint.exists()
    assert not (out / "stages" / f"{stage}.json").exists()
    assert main(["train", "nano", "--out", str(out), "--stage", stage, "--resume"]) == 0
    events = [event for _, event in runs.read(out)]
    assert any(isinstance(e, runs.StageStarted) and e.resumed_at > 0 for e in events)
    made = [name for name in COMPARED if name.startswith(f"{stage}/")]
    assert [n for n in made if (nano / n).read_bytes() != (out / n).read_bytes()] == []
    assert not checkpoint.exists()


def _copy_before(nano: Path, out: Path, stage: str) -> None:
    """What the stages before `stage` have made."""
    inputs = json.loads((nano / "stages" / f"{stage}.json").read_text())["inputs"]
    for name in inputs:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes((nano / name).read_bytes())


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a process of its own")
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(nano, tmp_path):
    out = tmp_path / "interrupted"
    _copy_before(nano, out, "base")
    command = [sys.executable, "-m", "assistant", "train", "nano", "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--stage", "base"], stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    metrics = out / "base" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "--resume" in said
    assert (out / "checkpoints" / "base.pt").exists()
    assert len(metrics.read_bytes().splitlines()) >= 1


def test_no_date_and_no_folder_is_in_what_a_run_makes(nano):
    for name in COMPARED:
        content = (nano / name).read_bytes()
        assert str(nano).encode() not in content, name
        assert nano.parent.name.encode() not in content, name
        assert not re.search(rb"20[2-9]\d-[01]\d-[0-3]\d", content), name


def test_a_finished_run_is_left_alone(nano, capfd):
    before = {name: (nano / name).stat().st_mtime_ns for name in COMPARED}
    assert main(["train", "nano", "--out", str(nano), "--resume"]) == 0
    assert before == {name: (nano / name).stat().st_mtime_ns for name in COMPARED}
    assert capfd.readouterr().err.count("done before") == 11


def test_a_folder_with_a_run_is_not_written_over(nano, capfd):
    assert main(["train", "nano", "--out", str(nano)]) == 2
    assert "--resume" in capfd.readouterr().err


def _copied(nano: Path, out: Path) -> Path:
    """The whole run in another folder, without what happened."""
    shutil.copytree(nano, out)
    (out / runs.EVENTS_FILE).unlink()
    return out


def test_other_settings_run_their_stage_and_what_depends_on_it_again(nano, tmp_path, capfd):
    out = _copied(nano, tmp_path / "changed")
    arguments = ["--set", "export.type=F16", "--out", str(out), "--resume"]
    assert main(["train", "nano", *arguments]) == 0
    events = [event for _, event in runs.read(out)]
    skipped = [e.stage for e in events if isinstance(e, runs.StageSkipped)]
    finished = [e.stage for e in events if isinstance(e, runs.StageFinished)]
    assert skipped == ["problems", "contexts", "tokenizer", "base", "encoder", "adapter", "merge"]
    assert finished == ["gguf", "evaluate", "card", "install"]
    assert "--set export.type=F16" in (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    # Said before anything is done: a --set that was forgotten must not undo hours in silence.
    said = capfd.readouterr().err.splitlines()
    warned = [line.split(":")[0] for line in said if "other settings" in line]
    assert "gguf" in warned and not {*warned} & {*skipped}
    assert all("other settings" in line for line in said[: len(warned)])


def test_a_benchmark_whose_data_was_missing_is_tried_again(nano, tmp_path):
    """With `--resume` and the folder of the data the scores that were left out are made."""
    out = _copied(nano, tmp_path / "without")
    report = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    left_out = report | {"sets": {"humaneval": {"not_run": "no data", "run_it": "assistant eval"}}}
    (out / "evaluation.json").write_text(json.dumps(left_out), encoding="utf-8")
    record = json.loads((out / "stages/evaluate.json").read_text(encoding="utf-8"))
    record["outputs"]["evaluation.json"] = files.digest(out / "evaluation.json")
    (out / "stages/evaluate.json").write_text(json.dumps(record), encoding="utf-8")
    assert main(["train", "nano", "--out", str(out), "--resume"]) == 0
    finished = [e.stage for _, e in runs.read(out) if isinstance(e, runs.StageFinished)]
    assert "evaluate" in finished and "gguf" not in finished
    assert json.loads((out / "evaluation.json").read_text(encoding="utf-8")) == report


def test_a_stage_without_its_input_says_what_is_missing(tmp_path, capfd):
    assert main(["train", "nano", "--stage", "adapter", "--out", str(tmp_path)]) == 1
    assert "problems.jsonl" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mini"], "'mini'"),
        (["nano", "--stage", "cook"], "'cook'"),
        (["nano", "--set", "base.token=5"], "base.token=5"),
        (["nano", "--set", "base.tokens=many"], "many"),
        (["nano", "--set", "install=perhaps"], "perhaps"),
        ([], "recipe"),
    ],
)
def test_wrong_usage_names_the_value(arguments, said, tmp_path, capfd):
    assert main(["train", *arguments, "--out", str(tmp_path / "run")]) == 2
    assert said in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_says_settings_plan_and_estimates_and_starts_nothing(tmp_path, capfd):
    out = tmp_path / "run"
    arguments = ["starter", "--dry-run", "--set", "seed=7", "--out", str(out)]
    assert main(["train", *arguments]) == 0
    said = capfd.readouterr().out
    for line in ("seed = 7  (--set)", "base.weight_decay = 0.01  (default)", "(recipe starter)"):
        assert line in said
    for word in ("base: reads", "time:", "memory:", "disk:", "parameters: 4,9"):
        assert word in said
    assert not out.exists()


def test_recipes_are_listed_without_torch():
    listing = "import sys; from assistant.cli.main import main; main(['train', '--list']); "
    done = subprocess.run(
        [sys.executable, "-c", listing + "print('torch' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "nano" in done.stdout and "starter" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_a_whole_run_in_its_own_process_keeps_stdout_empty(tmp_path):
    done = train("nano", "--out", str(tmp_path), "--stage", "problems")
    assert (done.returncode, done.stdout) == (0, "")
