"""Stage `gguf`: the model as one file that llama.cpp runs, then a comparison of both."""

from __future__ import annotations

from pathlib import Path

from training import files, student, verify
from training.export import content, lineage, making, merging
from training.export.metadata import Labels
from training.stages import Job


def make(job: Job) -> None:
    """Write `model.gguf` and `verify.json`."""
    source, target = model_folder(job), job.path("model.gguf")
    write(
        source, student.tokenizer_file(job), target, job.settings.export.type, lineage.of_run(job),
        threads=job.settings.threads,
    )  # fmt: skip
    files.write_json(job.path("verify.json"), verify.compare(job, source))


def model_folder(job: Job) -> Path:
    """The model that is exported: the merged one, or the student as it is."""
    return student.folder(job) if job.settings.chain == "untrained" else job.path("merged")


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
