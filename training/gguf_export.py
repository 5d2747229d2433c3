"""Stage `gguf`: the model as one file that llama.cpp runs, then a comparison of both.

Written through the `gguf` package alone, in two passes: names, shapes and types first, then one
tensor after another, so that no more than one is in memory. The same model gives the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf

from assistant.errors import ExportProblem
from training import (
    files,
    student,
    student_checks,
    verify,
)
from training.export import checkpoint, families, metadata, tensors, vocabulary
from training.export.metadata import Labels, Origin
from training.stages import Job

_TYPES = {
    "F32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "F16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "BF16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
    "Q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def make(job: Job) -> None:
    """Write `model.gguf` and `verify.json`."""
    settings = job.settings.export
    source = model_folder(job)
    with files.replacing(job.path("model.gguf")) as partial:
        write(source, student.tokenizer_file(job), partial, settings.type, labels(job))
    files.write_json(job.path("verify.json"), verify.compare(job, source))


def model_folder(job: Job) -> Path:
    """The model that is exported: the merged one, or the student as it is."""
    return student.folder(job) if job.settings.chain == "untrained" else job.path("merged")


def labels(job: Job) -> Labels:
    """What the file says of itself."""
    name = job.settings.export.name
    if job.settings.chain == "scratch":
        return Labels(name)
    found = student.describe(job)
    tuned = job.settings.chain == "pretrained"
    learned = "tuned on reasoning and code" if tuned else "as it is, not tuned"
    told = f"{found.source}, {learned}, by `assistant train`."
    if student_checks.is_llama(job.settings, found.source, found.licence):
        told += " Built with Llama."
    return Labels(
        name,
        licence=found.licence,
        description=told,
        chat=student.chat(job),
        origin=Origin(found.source, found.revision),
        follows_format=tuned,
    )


def write(
    folder: Path,
    tokenizer: Path,
    target: Path,
    type_name: str,
    labels: Labels,
    *,
    permute: bool = True,
    stretch: bool = True,
) -> None:
    """Write the model in `folder` to the file `target`.

    Args:
        folder: has `config.json` and safetensors, one file or several.
        tokenizer: its `tokenizer.json`.
        target: the GGUF file.
        type_name: how matrices are stored: F32, F16, BF16 or Q8_0.
        labels: name, licence, chat format.
        permute: reorder the rows of queries and keys; False makes a file that is wrong, for
            testing that the comparison finds it.
        stretch: write Llama 3's divisors of the rotary frequencies; False, likewise.

    Raises:
        ExportProblem: the type, the model or the tokenizer is of a kind that is not written here,
            or the weights have values that are no numbers.
    """
    if type_name not in _TYPES:
        raise ExportProblem(
            f"GGUF type {type_name!r} is not written here; there are: {', '.join(_TYPES)}",
            hint="--set export.type=Q8_0",
        )
    described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    family = families.find(described)
    source = checkpoint.opened(folder)
    planned = families.tensors(family, source.shapes(), described)
    rows = described["vocab_size"]
    constants = families.constants(family, described) if stretch else {}

    matrix_type, file_type = _TYPES[type_name]
    writer = gguf.GGUFWriter(target, family.architecture)
    metadata.add(writer, family, described, rows, file_type, labels)
    vocabulary.add(writer, vocabulary.read(tokenizer, rows), labels.chat, described)

    kinds = [tensors.stored_type(one.shape, matrix_type) for one in planned]
    for name, value in constants.items():
        tensors.announce(writer, name, value.shape, gguf.GGMLQuantizationType.F32)
    for one, kind in zip(planned, kinds, strict=True):
        tensors.announce(writer, one.name, one.shape, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for value in constants.values():
        writer.write_tensor_data(value)
    for one, kind in zip(planned, kinds, strict=True):
        whole = tensors.values(one, source.tensor(one.source), permute=permute)
        writer.write_tensor_data(gguf.quants.quantize(whole, kind))
    writer.close()
