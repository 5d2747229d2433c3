"""The whole way to an installed model, stage by stage, as files in one folder.

    scratch      from nothing: tokenizer, base model, code encoder, adapter, merge, GGUF, scores
    pretrained   a student of the hub or of a folder is tuned, exported with its adapter, scored
    untrained    the student as it is: exported and scored, the baseline of every comparison

Each stage's code is imported when it runs, so that listing and planning need no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from assistant.errors import UsageProblem
from training.settings import Settings
from training.stages import Job, Stage

CHAINS = ("scratch", "pretrained", "untrained")


def _lazily(module: str) -> Callable[[Job], None]:
    """`make` of `training.<module>`, imported on first use."""

    def make(job: Job) -> None:
        import_module(f"training.{module}").make(job)

    return make


BASE_FILES = ("base/model.safetensors", "base/config.json")
ENCODER_FILES = ("encoder/model.safetensors", "encoder/config.json")
ADAPTER_FILES = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json")
MERGED_FILES = ("merged/model.safetensors", "merged/config.json")
STUDENT_FILES = ("student/student.json", "student/tokenizer.json")
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
"""The chain `scratch`."""

_BY_NAME = {stage.name: stage for stage in CHAIN}

# Looks outside of the run's folder, so it is run every time: quick, and the same bytes when
# nothing has changed. First, so that what can not be tuned or named is refused before a teacher
# is paid.
_STUDENT = Stage(
    "student", _lazily("student"), (), STUDENT_FILES, ("student", "export"), always=True
)
_CARD = ("model.gguf", "verify.json", "evaluation.json", *STUDENT_FILES)


def chain(settings: Settings) -> tuple[Stage, ...]:
    """The stages of a run, in their order.

    Raises:
        UsageProblem: there is no such chain.
    """
    match settings.chain:
        case "scratch":
            return CHAIN
        case "pretrained":
            return _pretrained(settings)
        case "untrained":
            return _untrained()
    raise UsageProblem(
        f"chain={settings.chain}: there is no such chain; there are {', '.join(CHAINS)}"
    )


def needs_own_encoder(settings: Settings) -> bool:
    """Whether the structural loss compares with the small encoder that a run makes itself."""
    compares = settings.structural.arm not in ("off", "student-encoder")
    return compares and settings.structural.encoder == "own"


def _pretrained(settings: Settings) -> tuple[Stage, ...]:
    texts = ("problems.jsonl", "contexts.jsonl", *STUDENT_FILES)
    encoder = replace(_BY_NAME["encoder"], inputs=("problems.jsonl", STUDENT_FILES[1]))
    own = needs_own_encoder(settings)
    return (
        _STUDENT,
        _BY_NAME["problems"],
        _BY_NAME["contexts"],
        *((encoder,) if own else ()),
        replace(
            _BY_NAME["adapter"], make=_lazily("tuning.stage"),
            inputs=(*texts, *(ENCODER_FILES if own else ())),
            settings=("adapter", "curriculum", "structural", "threads"),
        ),
        replace(_BY_NAME["gguf"], inputs=(*texts, *ADAPTER_FILES)),
        _BY_NAME["evaluate"],
        replace(
            _BY_NAME["card"],
            inputs=("problems.jsonl", "problems.funnel.json", "contexts.jsonl",
                    "adapter/metrics.jsonl", *_CARD),
            settings=("problems", "contexts", "student", "structural", "curriculum", "adapter",
                      "export", "evaluate", "threads"),
        ),
        replace(_BY_NAME["install"], settings=("install", "export")),
    )  # fmt: skip


def _untrained() -> tuple[Stage, ...]:
    return (
        _STUDENT,
        replace(_BY_NAME["gguf"], inputs=STUDENT_FILES),
        replace(_BY_NAME["evaluate"], inputs=("model.gguf",)),
        replace(
            _BY_NAME["card"], inputs=_CARD,
            settings=("student", "export", "evaluate", "threads"),
        ),
        replace(_BY_NAME["install"], settings=("install", "export")),
    )  # fmt: skip
