"""The whole way from nothing to an installed model, stage by stage, as files in one folder.

Each stage's code is imported when it runs, so that listing and planning need no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from training.stages import Job, Stage


def _lazily(module: str) -> Callable[[Job], None]:
    """`make` of `training.<module>`, imported on first use."""

    def make(job: Job) -> None:
        import_module(f"training.{module}").make(job)

    return make


BASE_FILES = ("base/model.safetensors", "base/config.json")
ENCODER_FILES = ("encoder/model.safetensors", "encoder/config.json")
ADAPTER_FILES = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json")
MERGED_FILES = ("merged/model.safetensors", "merged/config.json")
TEXTS = ("problems.jsonl", "contexts.jsonl", "tokenizer.json")

CHAIN = (
    # Requests with reference code and tests, split by the structure of the code.
    Stage(
        "problems", _lazily("problems"), (), ("problems.jsonl", "problems.funnel.json"),
        ("problems",),
    ),
    # For each, what a teacher thinks before it writes the code.
    Stage(
        "contexts", _lazily("contexts"), ("problems.jsonl",), ("contexts.jsonl",), ("contexts",),
        version=2,
    ),
    Stage("tokenizer", _lazily("tokenizer"), TEXTS[:2], ("tokenizer.json",), ("tokenizer",)),
    # A small Llama, from scratch.
    Stage(
        "base", _lazily("base"), TEXTS, (*BASE_FILES, "base/metrics.jsonl"),
        ("model", "base", "threads"),
    ),
    # What the structural loss compares with: frozen afterwards.
    Stage(
        "encoder", _lazily("encoder"), ("problems.jsonl", "tokenizer.json"),
        (*ENCODER_FILES, "encoder/metrics.jsonl"), ("encoder", "threads"),
    ),
    # alpha * L_token + beta * L_s, on reasoning and code.
    Stage(
        "adapter", _lazily("tuning.stage"), (*TEXTS, *BASE_FILES, *ENCODER_FILES),
        (*ADAPTER_FILES, "adapter/metrics.jsonl"),
        ("adapter", "curriculum", "model", "structural", "threads"),
    ),
    Stage("merge", _lazily("merge"), (*BASE_FILES, *ADAPTER_FILES), MERGED_FILES, ()),
    # Written, then compared with the torch model.
    Stage(
        "gguf", _lazily("gguf_export"), (*TEXTS, *MERGED_FILES), ("model.gguf", "verify.json"),
        ("export", "threads"),
    ),
    # The code that the GGUF model writes is run.
    Stage(
        "evaluate", _lazily("evaluate"), ("problems.jsonl", "model.gguf"), ("evaluation.json",),
        ("evaluate", "threads"),
    ),
    Stage(
        "card", _lazily("card"),
        ("problems.jsonl", "model.gguf", "verify.json", "evaluation.json", "base/metrics.jsonl",
         "encoder/metrics.jsonl", "adapter/metrics.jsonl", "tokenizer.json", *ENCODER_FILES),
        ("MODEL_CARD.md",), ("problems", "contexts", "tokenizer", "model", "base", "encoder",
                             "structural", "curriculum", "adapter", "export", "evaluate",
                             "threads"),
    ),
    Stage("install", _lazily("install"), ("model.gguf", "MODEL_CARD.md"), (), ("install",)),
)  # fmt: skip
