"""Whether a GGUF file can be given to llama.cpp without ending this process.

llama.cpp answers many contradictions in a file with an error, and others by ending the process or
by reading where nothing is (measured: 110 of 10,000 damaged headers). What it does not survive is
looked for here, in the order that a person would: the kind of model, its numbers, its vocabulary,
its weights. The structure of the file itself is `gguf.read_header`'s.

Not covered: the contents of the weights.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from assistant.errors import ModelProblem
from assistant.models import vocabularies
from assistant.models.architectures import (
    DECODERS,
    NEEDS_EXPERTS,
    NEEDS_SECTIONS,
    OTHERS,
    PLAIN,
    RECURRENT,
)
from assistant.models.gguf import TYPE_NAMES, Array, Header, Tensor, impossible, read_header

MAX_LAYERS = 512
MAX_EXPERTS = 1024
MAX_WIDTH = 1 << 20
MAX_CONTEXT = 1 << 30

_SCALINGS = frozenset({"none", "linear", "yarn", "longrope"})
_F32 = 0
# Types that weights are kept in. Others exist for calculations in between, or for indices.
_WEIGHTS = frozenset({0, 1, 2, 3, 6, 7, 8, *range(10, 15), *range(16, 24), 29, 30, 34, 35, 39, 40})
_UINT32 = 4
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")


def read(path: Path) -> Header:
    """Read the header of a model and check that llama.cpp can load it.

    For a model in several files: the first one; the others are checked, too, and their tensors are
    in the result.

    Raises:
        ModelProblem: as `gguf.read_header`; or the file contradicts itself, or holds a model of a
            kind that is not served.
    """
    header = read_header(path)
    if header.text("general.type") == "adapter":
        raise ModelProblem(
            f"{path} is an adapter, a change to a model, and no model of its own.",
            hint=f"Name the model that it was tuned from in front of it: BASE.gguf+{path.name}",
        )
    check_architecture(header)
    tensors = tensors_of_parts(header)
    check_numbers(header)
    vocabularies.check(header)
    check_weights(header, tensors)
    return header


def check_architecture(header: Header) -> None:
    """Refuse a kind of model that writes no text, or that nobody knows.

    Raises:
        ModelProblem: it is one of these.
    """
    name = header.architecture
    if name in DECODERS:
        return
    if name in OTHERS:
        why = f"{header.path} has the architecture {name!r}: it {OTHERS[name]}."
    elif header.text("general.architecture") is None:
        why = f"{header.path} does not say what architecture it has (general.architecture)."
    else:
        why = (
            f"{header.path} has the unknown model architecture {name!r}: it is newer than this "
            "release, or the file is damaged."
        )
    raise ModelProblem(why, hint="Choose another model: assistant models list")


def check_numbers(header: Header) -> None:
    """Check the numbers that say how large the model is and how it calculates.

    Raises:
        ModelProblem: one is missing, of the wrong type or out of its range.
    """
    prefix = header.architecture
    _whole(header, f"{prefix}.context_length", 1, MAX_CONTEXT)
    _whole(header, f"{prefix}.embedding_length", 1, MAX_WIDTH)
    layers = _whole(header, f"{prefix}.block_count", 1, MAX_LAYERS)
    if prefix not in RECURRENT:
        _each(header, f"{prefix}.attention.head_count", layers, MAX_WIDTH, required=True)
    for name in ("attention.head_count_kv", "feed_forward_length"):
        _each(header, f"{prefix}.{name}", layers, MAX_WIDTH * 64)
    for name in ("rope.dimension_count", "attention.key_length", "attention.value_length"):
        _optional(header, f"{prefix}.{name}", 0, MAX_WIDTH)
    _optional(header, f"{prefix}.nextn_predict_layers", 0, layers)
    _check_experts(header, layers)
    _check_floats(header)
    scaling = header.metadata.get(f"{prefix}.rope.scaling.type", "none")
    if scaling not in _SCALINGS:
        raise impossible(header.path, f"{prefix}.rope.scaling.type is {scaling!r}")
    _check_sections(header)


def _check_sections(header: Header) -> None:
    """How a position of pictures and text is spread over the width of a head."""
    key = f"{header.architecture}.rope.dimension_sections"
    sections = header.metadata.get(key)
    if sections is None and header.architecture not in NEEDS_SECTIONS:
        return
    values = sections.values if isinstance(sections, Array) else ()
    whole = all(_in(number, 0, MAX_WIDTH) for number in values)
    if not whole or not any(number > 0 for number in values[:3]):
        raise impossible(header.path, f"{key} is {_shown(sections)}")


def _check_experts(header: Header, layers: int) -> None:
    prefix = header.architecture
    experts = _optional(header, f"{prefix}.expert_count", 0, MAX_EXPERTS) or 0
    used = _each(header, f"{prefix}.expert_used_count", layers, experts)
    groups = _optional(header, f"{prefix}.expert_group_count", 0, max(0, experts - 1)) or 0
    _optional(header, f"{prefix}.expert_group_used_count", 0, groups)
    if not experts and prefix in NEEDS_EXPERTS:
        raise impossible(header.path, f"{prefix}.expert_count is missing or 0")
    # Hunyuan writes one expert for a model without any.
    if experts > 1 and not max(used, default=0):
        raise impossible(header.path, f"it has {experts} experts and uses none of them")
    if groups > 1 and experts % groups:
        raise impossible(header.path, f"its {experts} experts can not be {groups} groups")


def _check_floats(header: Header) -> None:
    prefix = header.architecture + "."
    for key, value in header.metadata.items():
        if not key.startswith(prefix):
            continue
        values = value.values if isinstance(value, Array) else (value,)
        for number in (n for n in values if isinstance(n, float)):
            if not math.isfinite(number) or (number < 0 and "epsilon" in key):
                raise impossible(header.path, f"{key} is {number}")
            if number < 1 and key.endswith("rope.freq_base"):
                raise impossible(header.path, f"{key} is {number}")


def check_weights(header: Header, tensors: dict[str, Tensor]) -> None:
    """Check that the weights are there, of types that weights have, and of the right shapes.

    Args:
        header: of the (first) file.
        tensors: of all files, by name.

    Raises:
        ModelProblem: one is missing, or contradicts the metadata.
    """
    for tensor in tensors.values():
        vector = len(tensor.shape) == 1
        if "tid2eid" in tensor.name:  # a table of expert numbers
            continue
        good = (_F32,) if vector else _WEIGHTS
        if tensor.type not in good:
            kind = TYPE_NAMES.get(tensor.type, f"number {tensor.type}")
            raise impossible(
                header.path,
                f"the tensor {tensor.name!r} is of type {kind}, which is not for "
                f"{'vectors' if vector else 'weights'}",
            )
    width, words = header.integer(f"{header.architecture}.embedding_length"), header.vocabulary_size
    _shaped(header, tensors, "token_embd.weight", (width, words), required=True)
    _shaped(header, tensors, "output.weight", (width, words))
    if header.architecture in PLAIN:
        _check_layers(header, tensors)


def _check_layers(header: Header, tensors: dict[str, Tensor]) -> None:
    """The layers of a plain Llama."""
    prefix = header.architecture
    width = header.integer(f"{prefix}.embedding_length") or 0
    layers = header.integer(f"{prefix}.block_count") or 0
    heads = _each(header, f"{prefix}.attention.head_count", layers, width)
    shared = _each(header, f"{prefix}.attention.head_count_kv", layers, width) or heads
    feeds = _each(header, f"{prefix}.feed_forward_length", layers, MAX_WIDTH * 64)
    size = width // heads[0] if heads[0] else 0
    key = header.integer(f"{prefix}.attention.key_length") or size
    value = header.integer(f"{prefix}.attention.value_length") or size
    if not key or key % 2 or not value:
        raise impossible(header.path, f"its {heads[0]} heads have a width of {key} and {value}")
    _shaped(header, tensors, "output_norm.weight", (width,), required=True)
    for layer in range(layers):
        block = f"blk.{layer}."
        head, kv = heads[layer], shared[layer]
        if not head or not kv or head % kv:
            raise impossible(header.path, f"layer {layer} has {head} heads for {kv} of keys")
        _shaped(header, tensors, f"{block}attn_norm.weight", (width,), required=True)
        _shaped(header, tensors, f"{block}attn_q.weight", (width, head * key))
        _shaped(header, tensors, f"{block}attn_k.weight", (width, kv * key))
        _shaped(header, tensors, f"{block}attn_v.weight", (width, kv * value))
        _shaped(header, tensors, f"{block}attn_output.weight", (head * value, width), required=True)
        if feeds:
            for name in ("ffn_gate", "ffn_up"):
                _shaped(header, tensors, f"{block}{name}.weight", (width, feeds[layer]))
            _shaped(header, tensors, f"{block}ffn_down.weight", (feeds[layer], width))


def _shaped(
    header: Header,
    tensors: dict[str, Tensor],
    name: str,
    shape: tuple[int | None, ...],
    *,
    required: bool = False,
) -> None:
    tensor = tensors.get(name)
    if tensor is None and required:
        raise impossible(header.path, f"the tensor {name!r} is missing")
    if tensor is not None and tensor.shape != shape:
        raise impossible(
            header.path,
            f"the tensor {name!r} has the shape {tensor.shape}; the metadata say {shape}",
        )


def _whole(header: Header, key: str, low: int, high: int) -> int:
    value = _optional(header, key, low, high)
    if value is None:
        raise impossible(header.path, f"{key} is missing")
    return value


def _optional(header: Header, key: str, low: int, high: int) -> int | None:
    value = header.metadata.get(key)
    if value is None:
        return None
    if not _in(value, low, high):
        raise impossible(header.path, f"{key} is {_shown(value)}, not from {low} to {high}")
    return int(value)


def _each(
    header: Header, key: str, layers: int, high: int, *, required: bool = False
) -> tuple[int, ...]:
    """A number for each layer: given once, or for each; nothing when it is not there."""
    value = header.metadata.get(key)
    if value is None:
        if required:
            raise impossible(header.path, f"{key} is missing")
        return ()
    if not isinstance(value, Array):
        value = Array(layers, (value,) * layers)
    elif value.length > MAX_LAYERS or len(value.values) < value.length:
        # More than are kept in memory: more layers than any model has.
        raise impossible(header.path, f"{key} has {value.length} numbers for {layers} layers")
    if value.length < layers or not all(_in(number, 0, high) for number in value.values):
        raise impossible(header.path, f"{key} is {_shown(value)} for {layers} layers")
    if required and not any(value.values):
        raise impossible(header.path, f"{key} is 0")
    return value.values


def _in(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _shown(value: Any) -> str:
    return f"{value.values if isinstance(value, Array) else value!r:.60}"[:60]


def tensors_of_parts(header: Header) -> dict[str, Tensor]:
    """The tensors of all files of a model, by name.

    Raises:
        ModelProblem: a file is missing, or the parts contradict each other.
    """
    count = _optional(header, "split.count", 0, 99_999) or 1
    headers = [header]
    if count > 1:
        match = _PART.match(header.path.name)
        if match is None or int(match["count"]) != count or int(match["number"]) != 1:
            raise impossible(
                header.path, f"it is one of {count} parts, and its name is not that of the first"
            )
        names = (f"{match['stem']}-{n:05}-of-{count:05}.gguf" for n in range(2, count + 1))
        headers += [read_header(header.path.with_name(name)) for name in names]
    tensors: dict[str, Tensor] = {}
    for number, part in enumerate(headers):
        if count > 1 and (part.integer("split.no") or 0) != number:
            raise impossible(part.path, f"it says that it is part {part.integer('split.no')}")
        for tensor in part.tensors:
            if tensor.name in tensors:
                raise impossible(part.path, f"the tensor {tensor.name!r} is in two parts")
            tensors[tensor.name] = tensor
    expected = header.integer("split.tensors.count")
    if count > 1 and expected is not None and expected != len(tensors):
        raise impossible(header.path, f"its parts have {len(tensors)} tensors, not {expected}")
    return tensors
