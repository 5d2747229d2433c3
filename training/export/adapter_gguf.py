"""An adapter as a GGUF file of its own, to be served with a base in GGUF and without a merge.

llama.cpp adds `alpha / rank * B (A x)` to what a matrix makes of `x`, with one alpha for the file
and the rank of each pair. So alpha is written as s * rank, and what differs from it (`rsLoRA` with
several ranks, `alpha_pattern`) is multiplied into B. Rows of B are reordered as those of the matrix
that they belong to; A is left as it is.

Absent: what llama.cpp can not attach. DoRA divides by the norms of the merged rows, and a tensor
that was saved as a whole takes the place of another: both have to be merged.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind

from assistant.errors import ExportProblem
from assistant.format import FORMAT_NAME, FORMAT_VERSION
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from assistant.models import adapters
from training import files
from training.export import encoding, families
from training.export.adapter import EMBEDDING, Change
from training.export.families import Tensor
from training.export.merging import Merged
from training.export.metadata import CARD, Labels

TYPES = {
    "F32": (Kind.F32, gguf.LlamaFileType.ALL_F32),
    "F16": (Kind.F16, gguf.LlamaFileType.MOSTLY_F16),
    "BF16": (Kind.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}
_WIDTHS = {Kind.F32: 4, Kind.F16: 2, Kind.BF16: 2}
"""Bytes of a value."""

_ROWS = 256
"""That are compared at once."""


@dataclass(frozen=True)
class Pair:
    """The two matrices of one change, as they are written.

    Attributes:
        name: of the matrix that they change, llama.cpp's.
        first: A, float32, ``(rank, inputs)``.
        second: B, float32, ``(outputs, rank)``.
    """

    name: str
    first: torch.Tensor
    second: torch.Tensor


def write(merged: Merged, target: Path, labels: Labels, type_name: str = "F32") -> None:
    """Write the adapter of `merged` to the file `target`.

    Args:
        merged: a base and the adapter; of the base only names and shapes are read.
        target: the GGUF file; there when it is whole.
        labels: what it says of itself.
        type_name: how its matrices are stored: F32, F16 or BF16.

    Raises:
        ExportProblem: there is no such type, llama.cpp can not attach the adapter, or it has
            values that can not be stored.
    """
    if type_name not in TYPES:
        raise ExportProblem(
            f"an adapter is not written as {type_name}; there are: {', '.join(TYPES)}",
            hint="--type F32 (an adapter is small)",
        )
    kind, file_type = TYPES[type_name]
    family = families.find(merged.described)
    found = _matrices(merged)
    alpha = _alpha(merged.adapter.changes)
    with files.replacing(target) as partial:
        writer = gguf.GGUFWriter(partial, family.architecture)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(adapters.KIND_KEY, "lora")
        writer.add_float32(adapters.ALPHA_KEY, alpha)
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _add_labels(writer, labels)
        changes = [merged.adapter.changes[tensor.source] for tensor in found]
        for tensor, change in zip(found, changes, strict=True):
            for part, shape in (("lora_a", change.first.shape), ("lora_b", change.second.shape)):
                size = math.prod(shape) * _WIDTHS[kind]
                writer.add_tensor_info(
                    f"{tensor.name}.{part}", shape, np.dtype(np.float32), size, raw_dtype=kind
                )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        # Pair by pair: a writer that is given them first keeps them all in memory.
        for tensor, change in zip(found, changes, strict=True):
            pair = pair_of(tensor, change, alpha)
            for part, values in (("lora_a", pair.first), ("lora_b", pair.second)):
                name = f"{pair.name}.{part}"
                writer.write_tensor_data(encoding.encoded(values, kind, name))
        writer.close()


def pair_of(tensor: Tensor, change: Change, alpha: float) -> Pair:
    """What is written of one change.

    Args:
        tensor: that is changed.
        change: what is done to it.
        alpha: of the file; what this change has beyond `alpha / rank` goes into B.
    """
    first, second = change.first.float(), change.second.float()
    rank = first.shape[0]
    beyond = change.scale * rank / alpha
    second = second if beyond == 1.0 else second * beyond
    if tensor.heads:
        second = encoding.reordered(second, tensor.heads)
    return Pair(tensor.name, first.contiguous(), second.contiguous())


def _alpha(changes: Mapping[str, Change]) -> float:
    """The alpha that most of the matrices have: they are written as they are."""
    found = collections.Counter(
        change.scale * change.first.shape[0] for change in changes.values() if change.scale
    )
    if not found:
        raise ExportProblem("the adapter changes nothing: its alpha is 0, or it has no matrices")
    return found.most_common(1)[0][0]


def _matrices(merged: Merged) -> list[Tensor]:
    """The tensors that the adapter changes, in the order of a model's file.

    Raises:
        ExportProblem: it changes something that llama.cpp attaches no adapter to.
    """
    adapter, base = merged.adapter, merged.base.shapes()
    if dora := sorted(n for n, change in adapter.changes.items() if change.magnitude is not None):
        raise _refused(f"it is of the kind DoRA: {dora[0]} has a magnitude (use_dora)")
    if EMBEDDING in adapter.changes:
        raise _refused(f"it changes the embedding ({EMBEDDING})")
    family = families.find(merged.config)
    tensors = families.tensors(family, base, merged.config)
    if tied := sorted(set(adapter.changes) - {tensor.source for tensor in tensors}):
        raise _refused(f"it changes {tied[0]}, which in this model is the embedding")
    if saved := sorted(name for name in adapter.saved if not _unchanged(merged, name)):
        raise _refused(f"it has {saved[0]} as a whole (modules_to_save)")
    return [tensor for tensor in tensors if tensor.source in adapter.changes]


def _unchanged(merged: Merged, name: str) -> bool:
    """Whether a tensor that was saved as a whole is that of the base.

    PEFT saves an embedding or a head beside the change that an adapter makes of it.
    """
    saved = merged.adapter.saved[name]
    if name not in merged.base.places or tuple(saved.shape) != merged.base.shape(name):
        return False
    # In float32: the adapter may be kept in another type than the base.
    return all(
        torch.equal(
            saved[first : first + _ROWS].float(),
            merged.base.rows(name, first, first + _ROWS).float(),
        )
        for first in range(0, saved.shape[0], _ROWS)
    )


def _refused(why: str) -> ExportProblem:
    return ExportProblem(
        f"the adapter can not be served beside its base: {why}, and llama.cpp has no way to "
        "attach that",
        hint="merge it: the same command without --adapter-only",
    )


def _add_labels(writer: gguf.GGUFWriter, labels: Labels) -> None:
    """What the file says beyond its weights; the engine takes chat and format from here."""
    writer.add_name(labels.name)
    writer.add_license(labels.licence)
    writer.add_description(labels.description)
    if labels.origin is not None:
        organisation, _, name = labels.origin.source.rpartition("/")
        writer.add_base_model_count(1)
        writer.add_base_model_name(0, name)
        if labels.origin.revision:
            writer.add_base_model_version(0, labels.origin.revision)
            writer.add_base_model_organization(0, organisation)
            writer.add_base_model_repo_url(0, f"https://huggingface.co/{labels.origin.source}")
    if labels.chat is not None:
        writer.add_chat_template(labels.chat.template)
    if labels.follows_format:
        writer.add_string(METADATA_NAME_KEY, FORMAT_NAME)
        writer.add_uint32(METADATA_VERSION_KEY, FORMAT_VERSION)
    for name, text in sorted(labels.card.items()):
        writer.add_string(CARD + name, text)
