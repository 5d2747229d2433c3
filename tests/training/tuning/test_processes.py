"""Killed at random moments, or shared by two processes: the results are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file

from training.tuning import stage

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and kills processes")
LOOSE = ("structural_loss", "gradient_structural", "gradient_ratio", "scale")
MADE = ("adapter_model.safetensors", "adapter_config.json", "metrics.jsonl")


def _forked(*arguments) -> str:
    command = [sys.executable, "-m", "tests.training.tuning.forked", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _killed(nano, folder, deaths) -> int:
    said = _forked("kill", folder, nano, deaths)
    for name in MADE:
        whole, killed = (folder / each / "adapter" / name for each in ("whole", "killed"))
        assert whole.read_bytes() == killed.read_bytes(), (name, said)
    return json.loads(said.splitlines()[-1])["going_on"]


def test_a_run_killed_at_three_random_moments_ends_with_the_same_bytes(nano, tmp_path):
    _killed(nano, tmp_path, 3)
    expected = (tmp_path / "whole" / "adapter" / MADE[0]).read_bytes()
    assert expected != (nano / "adapter" / MADE[0]).read_bytes()


@pytest.mark.soak
def test_a_run_killed_at_twenty_random_moments_ends_with_the_same_bytes(nano, tmp_path):
    assert _killed(nano, tmp_path, 20) > 5


@pytest.mark.parametrize("how", ["whole", pytest.param("sharded", marks=pytest.mark.soak)])
def test_two_processes_do_what_one_does(nano, tmp_path, how):
    _forked("share", tmp_path, nano, how)
    one, two = (load_file(tmp_path / n / "adapter" / MADE[0]) for n in ("one", "two"))
    for name, weight in one.items():
        assert (weight - two[name]).abs().max() < 1e-5, name
    rows = [
        [json.loads(line) for line in (tmp_path / n / "adapter" / MADE[2]).open()]
        for n in ("one", "two")
    ]
    assert len(rows[0]) == len(rows[1]) >= 3
    for first, second in zip(*rows, strict=True):
        assert first.keys() == second.keys()
        for name in first:
            # What is near its end has few digits left.
            near = 1e-2 if name in LOOSE else 1e-4
            assert first[name] == pytest.approx(second[name], rel=near, abs=1e-7), name
    said = [(tmp_path / n / "adapter" / "samples.jsonl").read_text() for n in ("one", "two")]
    assert said[0] == said[1] != ""


@pytest.mark.parametrize("name", ["ddp", "fsdp", "deepspeed"])
def test_a_configuration_is_one_that_accelerate_reads_and_says_what_was_run(name):
    path = Path(stage.__file__).parent / "configs" / f"{name}.yaml"
    config = load_config_from_file(str(path))
    kinds = {"ddp": "MULTI_GPU", "fsdp": "FSDP", "deepspeed": "DEEPSPEED"}
    assert str(config.distributed_type).rpartition(".")[2] == kinds[name]
    assert "ot run" in path.read_text(encoding="utf-8")
