"""Tiny students as transformers makes them, and the stage `adapter` on one of them."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from training import contexts, problems, student
from training.chain import CHAIN
from training.documents import Document, Writer
from training.losses.build import build
from training.losses.structural import Arm
from training.recipes import find
from training.settings import Settings, Student
from training.stages import Job
from training.tuning import batch
from training.tuning import tuned as models
from training.tuning.machine import Machine
from training.tuning.objective import Objective, Totals

NANO = find("nano").settings
STAGE = next(stage for stage in CHAIN if stage.name == "adapter")
EXACT = Machine(torch.device("cpu"), exact=True)
_SHAPE = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 1024, "initializer_range": 0.1,
}  # fmt: skip


def with_(settings: Settings, **sections) -> Settings:
    """Some settings changed: `with_(NANO, adapter={"rank": 4}, chain="pretrained")`."""
    changed = {
        name: dataclasses.replace(getattr(settings, name), **value)
        if isinstance(value, dict)
        else value
        for name, value in sections.items()
    }
    return dataclasses.replace(settings, **changed)


def save_student(folder: Path, kind: str, vocabulary: int) -> Path:
    """A Llama or Qwen2 with random weights; its head is not tied, and larger than needed."""
    torch.manual_seed(0)
    rows = vocabulary + 7
    if kind == "llama":
        config = LlamaConfig(vocab_size=rows, tie_word_embeddings=False, **_SHAPE)
        net = LlamaForCausalLM(config)
    else:
        config = Qwen2Config(vocab_size=rows, tie_word_embeddings=False, **_SHAPE)
        net = Qwen2ForCausalLM(config)
    net.save_pretrained(folder)
    return folder


def pretrained(nano: Path, out: Path, kind: str, **sections) -> Job:
    """The stage `adapter` on a tiny pretrained student, behind the stages of a nano run.

    Its tokenizer and its encoder are those of the nano run, its model is not.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in ("problems.jsonl", "contexts.jsonl"):
        shutil.copy(nano / name, out / name)
    shutil.copytree(nano / "encoder", out / "encoder", dirs_exist_ok=True)
    folder = save_student(out / "weights", kind, NANO.tokenizer.vocabulary)
    shutil.copy(nano / "tokenizer.json", folder / "tokenizer.json")
    learner = Student(model=str(folder), chat="chatml", weights="float32", licence="none")
    adapter = {"rank": 4, "alpha": 8, "tokens": 9000, "batch_tokens": 3000, "evaluate_examples": 4}
    settings = with_(NANO, chain="pretrained", student=learner, adapter=adapter)
    job = Job(STAGE, "nano", with_(settings, **sections), out, None, "key")
    student.make(job)
    return job


def documents(nano: Path, writer: Writer, count: int) -> list[Document]:
    """Reasoning and code of some problems, of different lengths."""
    known = dict(contexts.read(nano / "contexts.jsonl"))
    chosen = problems.read(nano / "problems.jsonl", "train")
    made = [writer.reasoning(problem, known[problem.id]) for problem in chosen]
    made.sort(key=lambda document: len(document.tokens))
    return made[:: len(made) // count][:count]


def objective(job: Job, arm: Arm = Arm.STRAIGHT_THROUGH, machine: Machine = EXACT, steps: int = 3):
    """A model with an adapter that does something, and both losses on it."""
    settings = with_(
        job.settings, structural={"arm": arm.value}, curriculum={"warmup": 0.0, "alpha_end": 0.5}
    )
    job = dataclasses.replace(job, settings=settings)
    tuned = models.make(job, machine)
    awaken(tuned)
    structural, aligner = build(job, tuned)
    return tuned, Objective(tuned, structural, aligner, settings, steps, machine)


def awaken(tuned) -> None:
    """At its start B is zero, and A has no gradient."""
    torch.manual_seed(2)
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.02)


def gradients(tuned) -> dict[str, torch.Tensor]:
    """Of everything that has one."""
    return {n: p.grad.clone() for n, p in tuned.named_parameters() if p.grad is not None}


def step(tuned, made: Objective, parts: list[batch.Batch], totals: Totals):
    """The numbers and the gradients of one step in parts; one that does not set the scale anew."""
    tuned.zero_grad()
    values = made.backward(1, [(part, True) for part in parts], totals)
    return values, gradients(tuned)


def apart(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """Largest difference of two sets of gradients, as a share of the largest gradient of all."""
    assert first.keys() == second.keys()
    largest = max(gradient.abs().max().item() for gradient in first.values())
    assert largest > 0
    return max((first[n] - second[n]).abs().max().item() for n in first) / largest
