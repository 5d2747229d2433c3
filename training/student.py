"""The model that learns: which one it is, its tokenizer, its chat format, its weights.

Every other part of training asks here and nowhere else, so that it need not know whether the
model was made from nothing (chain `scratch`) or comes from elsewhere (`pretrained`, `untrained`).

Stage `student` looks at a model of the Hugging Face hub or of a folder and writes

    student/student.json    what it is, by content: the stages behind depend on it
    student/tokenizer.json  its tokenizer, without a normaliser: serving knows none
    student/place.json      where its files lie on this machine, with their sizes and times

The weights stay where they are. What can not be trained, exported or named is refused here,
before any long work.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tokenizers

from assistant.errors import TrainingProblem
from training import files, student_checks, student_files
from training.chat import CHATML, LLAMA3, Chat, plain
from training.documents import Writer
from training.stages import Job

if TYPE_CHECKING:
    from transformers import PreTrainedModel

STUDENT, TOKENIZER = "student/student.json", "student/tokenizer.json"


@dataclass(frozen=True)
class Description:
    """What a student is.

    Attributes:
        source: `org/name` of the hub, or the name of the folder.
        revision: commit on the hub; empty for a folder.
        folder: where its files lay when the run looked, absolute; `folder()` looks again.
        model_type: as transformers names it: llama, qwen2.
        vocabulary: rows of the embedding.
        context: longest text, in tokens.
        chat: name of the chat format.
        begin: the special token in front of every text; empty where there is none.
        end: the one that ends an answer.
        licence: what its files or the settings say; `unknown` where neither does.
        weights: how they are held in training, as `student.weights` says.
        files: sha256 of what it is made of, by name.
    """

    source: str
    revision: str
    folder: str
    model_type: str
    vocabulary: int
    context: int
    chat: str
    begin: str
    end: str
    licence: str
    weights: str
    files: dict[str, str]


def make(job: Job) -> None:
    """Write `student/`.

    Raises:
        TrainingProblem: it can not be found, trained, exported or named as the settings say.
    """
    place = student_files.find(job)
    config = student_checks.config(place.folder)
    described = student_checks.tokenizer(place.folder)
    tokens = tokenizers.Tokenizer.from_str(json.dumps(described))
    chat = student_checks.chat(place.folder, job.settings.student.chat, config, tokens)
    writer = Writer(tokens, chat)
    licence = student_checks.licence(place.folder, job.settings.student.licence)
    student_checks.settings(job.settings, place.source, licence)
    found = Description(
        source=place.source,
        revision=place.revision,
        folder=str(place.folder),
        model_type=config["model_type"],
        vocabulary=config["vocab_size"],
        context=config["max_position_embeddings"],
        chat=writer.chat.name,
        begin="".join(chat.opening),
        end=chat.end,
        licence=licence,
        weights=job.settings.student.weights,
        files=student_files.digests(job, place),
    )
    files.write_text(job.path(TOKENIZER), json.dumps(described, ensure_ascii=False))
    # Another folder with the same files is the same student.
    written = {name: value for name, value in asdict(found).items() if name != "folder"}
    files.write_json(job.path(STUDENT), written)
    at = f" at {found.revision}" if found.revision else ""
    job.progress(1, "student").say(
        f"{found.source}{at}: {found.model_type}, chat format {found.chat}, licence {licence}"
    )


def describe(job: Job) -> Description:
    """The student of the chains `pretrained` and `untrained`.

    Raises:
        TrainingProblem: the stage `student` has not run, or its record is broken.
    """
    try:
        values = json.loads(job.path(STUDENT).read_text(encoding="utf-8"))
        return Description(**values, folder=student_files.noted(job).get("folder", ""))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingProblem(
            f"{job.path(STUDENT)} does not describe a student: {error}",
            hint=f"assistant train {job.recipe} --stage student",
        ) from error


def folder(job: Job) -> Path:
    """Where `config.json` and the weights lie."""
    if _scratch(job):
        return job.path("base")
    describe(job)  # says what to do where there is no student yet
    return student_files.known_folder(job)


def tokenizer_file(job: Job) -> Path:
    """The model's `tokenizer.json`."""
    return job.path("tokenizer.json" if _scratch(job) else TOKENIZER)


def tokenizer(job: Job) -> tokenizers.Tokenizer:
    """The model's tokenizer."""
    return tokenizers.Tokenizer.from_file(str(tokenizer_file(job)))


def chat(job: Job) -> Chat:
    """How its requests and answers are marked."""
    if _scratch(job):
        return CHATML
    found = describe(job)
    known = {CHATML.name: CHATML, LLAMA3.name: LLAMA3}
    return known.get(found.chat) or plain(found.begin, found.end)


def writer(job: Job) -> Writer:
    """What turns problems into its tokens."""
    return Writer(tokenizer(job), chat(job))


def load(job: Job, *, device: str = "cpu") -> PreTrainedModel:
    """The model with its weights as `student.weights` says; from scratch in float32.

    Args:
        job: the stage; its run has the student, or `base/`.
        device: where the weights go.

    Raises:
        TrainingProblem: they can not be held so on this machine.
    """
    if _scratch(job):
        from training import model

        made: Any = model.load(job.path("base"))
        found: PreTrainedModel = made.to(device)
        return found
    return read(folder(job), job.settings.student.weights, device)


def read(place: Path, weights: str, device: str = "cpu") -> PreTrainedModel:
    """A model of a folder; see `load`.

    Args:
        place: has config.json and safetensors.
        weights: `float32`, `bfloat16` or `nf4`.
        device: where they go.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {"dtype": torch.float32 if weights == "float32" else torch.bfloat16}
    if weights == "nf4":
        options["quantization_config"] = _four_bits(device)
        options["device_map"] = {"": device}
    made: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        str(place), local_files_only=True, use_safetensors=True, **options
    )
    return made if weights == "nf4" else made.to(device)  # type: ignore[arg-type]


def _four_bits(device: str) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    if not device.startswith("cuda") or find_spec("bitsandbytes") is None:
        raise TrainingProblem(
            f"student.weights=nf4 needs a CUDA card and bitsandbytes; the device is {device}",
            hint="--set student.weights=bfloat16, or: pip install bitsandbytes",
        )
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _scratch(job: Job) -> bool:
    return job.settings.chain == "scratch"
