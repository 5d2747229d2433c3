"""An adapter in GGUF: a small change to the matrices of a model, attached when that is loaded.

    W x  becomes  W x + alpha / rank * B (A x)

llama.cpp reads its file with a parser of its own, which ends the process where a number has another
type than it expects, or where two matrices can not be multiplied; so both are looked for here.

Absent: PEFT's own form of an adapter (`training.export.adapter`), and how it gets into GGUF
(`training.export.adapter_gguf`).
"""

from __future__ import annotations

import dataclasses
import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path

from assistant.errors import ModelProblem
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from assistant.models import loadable
from assistant.models.gguf import TYPE_NAMES, Header, Tensor, impossible, read_header

TYPE = "adapter"
ALPHA_KEY, KIND_KEY = "adapter.lora.alpha", "adapter.type"
_TOKENS_KEY = "adapter.alora.invocation_tokens"
_FLOAT32 = 6
"""A type of metadata, as a file numbers it."""
_MATRICES = frozenset({0, 1, 8, 30})
"""Types of weights that an adapter has: F32, F16, Q8_0, BF16."""
_NVFP4 = 40
_MAX_RANK = 1 << 16
# Where llama.cpp adds what an adapter says. It would pass over any other without a word.
_CHANGED = re.compile(
    r"blk\.\d+\.(attn_(q|k|v|qkv|output)|ffn_(gate|up|down))\.weight|output\.weight"
)


_TUNED = ("tokenizer.chat_template", METADATA_NAME_KEY, METADATA_VERSION_KEY)
"""What an adapter knows better than its base: tuning has made another model of it."""
_KEY, _VALUE = b"general.type", TYPE.encode()
_MARK = struct.pack("<Q", len(_KEY)) + _KEY + struct.pack("<IQ", 8, len(_VALUE)) + _VALUE
"""How a file says that it is an adapter; among the first things that it says."""
_BEGINNING = 1 << 16


def is_adapter(header: Header) -> bool:
    """Whether a file is an adapter and not a model."""
    return header.text("general.type") == TYPE


def looks_like_one(path: Path) -> bool:
    """Whether a file says that it is an adapter; its beginning is read only."""
    try:
        with path.open("rb") as file:
            return _MARK in file.read(_BEGINNING)
    except OSError:
        return False


def joined(base: Header, path: Path | None) -> Header:
    """What a model with an adapter says of itself: where it was tuned, what the adapter says.

    Args:
        base: of the model.
        path: of the adapter's file; None: there is none.

    Raises:
        ModelProblem: the adapter is missing, broken, or of another model.
    """
    if path is None:
        return base
    adapter = read(path)
    check_fits(adapter, base)
    tuned = {key: adapter.metadata[key] for key in _TUNED if key in adapter.metadata}
    return dataclasses.replace(base, metadata=base.metadata | tuned)


def bytes_of(path: Path | None) -> int:
    """Memory that an adapter takes, which is about its file's size; 0 for none."""
    try:
        return 0 if path is None else path.stat().st_size
    except OSError:
        return 0


def read(path: Path) -> Header:
    """Read the header of an adapter and check that llama.cpp can read it, whatever the base.

    Raises:
        ModelProblem: as `gguf.read_header`; or it is no adapter of the kind that is attached here.
    """
    header = read_header(path)
    if not is_adapter(header):
        raise ModelProblem(
            f"{path} is no adapter but a model of its own (general.type is "
            f"{header.text('general.type') or 'model'!r}).",
            hint="Name the model alone, or make an adapter with: assistant export --adapter-only",
        )
    kind = header.metadata.get(KIND_KEY)
    if kind != "lora":
        raise ModelProblem(
            f"{path} is an adapter of the type {kind!r}; attached are those of the type 'lora'.",
            hint=_MERGE,
        )
    if _TOKENS_KEY in header.metadata:
        raise ModelProblem(
            f"{path} wants to be active after certain tokens only (an activated LoRA); here an "
            "adapter is always active.",
            hint=_MERGE,
        )
    _check_alpha(header)
    _pairs(header)
    return header


_MERGE = "Merge it into its base instead: assistant export --base DIR --adapter DIR --out FILE.gguf"


def check_fits(adapter: Header, base: Header) -> None:
    """Refuse an adapter of another model.

    Args:
        adapter: from `read`.
        base: from `loadable.read`.

    Raises:
        ModelProblem: it is of another kind, or changes matrices that the base lacks or has in
            another shape.
    """
    if adapter.architecture != base.architecture:
        raise _foreign(
            adapter,
            base,
            f"it is of the architecture {adapter.architecture!r}, and the model of "
            f"{base.architecture!r}",
        )
    tensors = loadable.tensors_of_parts(base)
    for name, (first, second) in _pairs(adapter).items():
        _check_pair(adapter, base, tensors, name, (first.shape[0], second.shape[1]))


def _check_alpha(header: Header) -> None:
    alpha = header.metadata.get(ALPHA_KEY)
    if not isinstance(alpha, float) or header.types.get(ALPHA_KEY) != _FLOAT32:
        raise impossible(header.path, f"{ALPHA_KEY} is {alpha!r}, not a number of 32 bits")
    # llama.cpp takes 0 for: no scale at all.
    if not math.isfinite(alpha) or alpha == 0:
        raise impossible(header.path, f"{ALPHA_KEY} is {alpha}")


def _pairs(header: Header) -> Mapping[str, tuple[Tensor, Tensor]]:
    """A and B by the name of the matrix that they change."""
    found: dict[str, dict[str, Tensor]] = {}
    for tensor in header.tensors:
        name, _, part = tensor.name.rpartition(".")
        if part not in ("lora_a", "lora_b") or not _CHANGED.fullmatch(name):
            raise ModelProblem(
                f"{header.path} changes {tensor.name!r}, which can not be attached to a model "
                "while it runs.",
                hint=_MERGE,
            )
        if len(tensor.shape) != 2 or tensor.type not in _MATRICES:
            kind = TYPE_NAMES.get(tensor.type, f"number {tensor.type}")
            raise impossible(
                header.path,
                f"the tensor {tensor.name!r} is of type {kind} and shape {tensor.shape}",
            )
        found.setdefault(name, {})[part] = tensor
    for name, parts in found.items():
        if len(parts) != 2:
            raise impossible(header.path, f"{name!r} has one of two matrices")
        ranks = parts["lora_a"].shape[1], parts["lora_b"].shape[0]
        if ranks[0] != ranks[1] or ranks[0] > _MAX_RANK:
            raise impossible(header.path, f"the matrices of {name!r} have the ranks {ranks}")
    if not found:
        raise impossible(header.path, "it changes nothing")
    return {name: (parts["lora_a"], parts["lora_b"]) for name, parts in found.items()}


def _check_pair(
    adapter: Header, base: Header, tensors: Mapping[str, Tensor], name: str, shape: tuple[int, int]
) -> None:
    tensor = tensors.get(name)
    if tensor is None:
        raise _foreign(adapter, base, f"it changes {name!r}, which the model has not")
    if tensor.shape != shape:
        raise _foreign(
            adapter, base, f"it changes {name!r} as {shape}; the model has it as {tensor.shape}"
        )
    if tensor.type == _NVFP4:
        raise _foreign(adapter, base, f"{name!r} is of the type NVFP4, which takes no adapter")


def _foreign(adapter: Header, base: Header, why: str) -> ModelProblem:
    made = adapter.text("general.base_model.0.name")
    return ModelProblem(
        f"{adapter.path.name} does not fit {base.path.name}: {why}."
        + (f" It was made from {made}." if made else ""),
        hint="Name the model that it was tuned from, before the '+': BASE.gguf+ADAPTER.gguf",
    )
