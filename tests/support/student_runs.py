"""Runs of a student: settings, the stages one by one, an adapter without any tuning."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import torch

from training import student
from training.chain import chain
from training.recipes import find
from training.settings import Evaluate, Export, Problems, Settings, Structural, Student
from training.stages import Job, run_stage

SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def settings_of(folder: Path, **changes: Any) -> Settings:
    """A small run of the student in `folder`; the recipe is nano's, with another chain."""
    return replace(
        find("nano").settings,
        **{
            "chain": "pretrained",
            "problems": Problems(count=24),
            "student": Student(model=str(folder), weights="float32"),
            "structural": Structural(arm="off"),
            "export": Export(type="F32", name="Llama-tiny", verify_tokens=150, min_top1=0.99),
            "evaluate": Evaluate(benchmarks="humaneval", max_new_tokens=8, examples=1, workers=1),
            **changes,
        },
    )


def run(settings: Settings, out: Path, *names: str, data: Path | None = None) -> None:
    """Run some stages, in the order of the chain."""
    out.mkdir(parents=True, exist_ok=True)
    for stage in chain(settings):
        if stage.name in names:
            run_stage(stage, "nano", settings, out, data, fresh=True)


def job(settings: Settings, out: Path, name: str = "gguf", data: Path | None = None) -> Job:
    """What a stage is given."""
    stage = next(stage for stage in chain(settings) if stage.name == name)
    return Job(stage, "nano", settings, out, data, "key")


def with_adapter(net: Any, seed: int = 3, **options: Any) -> peft.PeftModel:
    """`net` with an adapter of random weights, that changes something."""
    given = {"r": 4, "lora_alpha": 6, "target_modules": list(SEVEN), "task_type": "CAUSAL_LM"}
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        tuned = peft.get_peft_model(net, peft.LoraConfig(**(given | options)))
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
        if "lora_magnitude" in name:
            parameter.data *= 1 + 0.1 * torch.rand_like(parameter)
    return tuned


def make_adapter(settings: Settings, out: Path, **options: Any) -> peft.PeftModel:
    """`adapter/` as the stage of that name leaves it; the model with it."""
    tuned = with_adapter(student.load(job(settings, out)), **options)
    tuned.save_pretrained(str(out / "adapter"))
    line = {"token_loss": 1.5, "structural_loss": 0.25, "alpha": 0.5, "beta": 0.5, "scale": 1.0}
    (out / "adapter" / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    return tuned
