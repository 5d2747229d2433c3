"""Stage `gguf`: the model as one file that llama.cpp runs, then a comparison of both."""

from __future__ import annotations

from pathlib import Path

from training import files, student, verify
from training.export import content, lineage, making, merging
from training.export.merging import Merged
from training.export.metadata import Labels
from training.stages import Job


def make(job: Job) -> None:
    """Write `model.gguf` and `verify.json`."""
    model, target = exported(job), job.path("model.gguf")
    tokenizer = student.tokenizer_file(job)
    found = content.of(model, tokenizer, lineage.of_run(job))
    inputs = (model.base.folder, tokenizer, *_adapter(job))
    making.make(
        making.Order(
            found, target, job.settings.export.type, inputs, threads=job.settings.threads
        )
    )  # fmt: skip
    making.forget(target)
    files.write_json(job.path("verify.json"), verify.compare(job, model))


def exported(job: Job) -> Merged:
    """The model of a run: the student with its adapter, or as it is; from scratch the merged one.

    A student is not merged on disk first: it would be 32 GB of float32 for 8 billion weights.
    """
    if job.settings.chain == "scratch":
        return merging.opened(job.path("merged"))
    return merging.opened(student.folder(job), *_adapter(job))


def _adapter(job: Job) -> tuple[Path, ...]:
    return (job.path("adapter"),) if job.settings.chain == "pretrained" else ()


def write(
    folder: Path, tokenizer: Path, target: Path, type_name: str, labels: Labels, threads: int = 1
) -> None:
    """Write the model in `folder` to the file `target`.

    Args:
        folder: has `config.json` and safetensors, one file or several.
        tokenizer: its `tokenizer.json`.
        target: the GGUF file.
        type_name: how matrices are stored, as `--type` of `assistant export`.
        labels: name, licence, chat format.
        threads: that work at the same time.

    Raises:
        UsageProblem: there is no such type.
        ExportProblem: the model or the tokenizer is of a kind that is not written here, or the
            weights have values that are no numbers.
    """
    found = content.of(merging.opened(folder), tokenizer, labels)
    making.make(making.Order(found, target, type_name, (folder, tokenizer), threads=threads))
    making.forget(target)
