"""What an adapter of PEFT does to the tensors of a model.

    LoRA      W + s * B @ A,  s = alpha / rank
    rsLoRA    the same with   s = alpha / sqrt(rank)
    DoRA      m * (W + s * B @ A) / |W + s * B @ A|,  the norm of each row, as many as outputs
    saved     another tensor in the place of W (`modules_to_save`, an enlarged embedding)

Rank and alpha may differ from matrix to matrix (`rank_pattern`, `alpha_pattern`). What is not
understood is refused: an adapter that is half merged is a model that nobody has trained.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from assistant.errors import ExportProblem

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
_PREFIX = "base_model.model."
_KINDS = (
    (".lora_A.weight", ".lora_B.weight"),
    (".lora_embedding_A", ".lora_embedding_B"),
)
_MAGNITUDES = (".lora_magnitude_vector", ".lora_magnitude_vector.weight")
_WRAPPED = re.compile(r"\.(?:modules_to_save(?:\.\w+)?|base_layer)(?=\.weight$|\.bias$)")
_UNSUPPORTED = (
    "fan_in_fan_out", "lora_bias", "layer_replication", "trainable_token_indices",
    "target_parameters", "use_qalora", "megatron_config", "loftq_config", "use_bdlora",
    "monteclora_config", "kasa_config", "velora_config",
)  # fmt: skip
_NEVER_MERGED = {
    "alora_invocation_tokens": "it acts on the tokens behind its invocation only",
    "arrow_config": "it chooses among several adapters token by token",
}
"""Options with which no matrix can take the adapter's place, and why."""
_BLOCK_VALUES = 1_048_576
"""Of a tensor that is looked through: what is made on the way is no larger."""
_PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
"""Ways to begin an adapter that leave the base as it is; PiSSA and its like change it."""


@dataclass(frozen=True)
class Change:
    """What an adapter does to one matrix.

    Attributes:
        first: A, shape ``(rank, inputs)``.
        second: B, shape ``(outputs, rank)``.
        scale: s above.
        magnitude: m, shape ``(outputs,)``; None where the kind has none.
    """

    first: torch.Tensor
    second: torch.Tensor
    scale: float
    magnitude: torch.Tensor | None = None


@dataclass(frozen=True)
class Adapter:
    """An adapter that fits a base. Its tensors are mapped from the file, not read.

    Attributes:
        config: the content of adapter_config.json.
        changes: of matrices, by the tensor of the base.
        saved: tensors that take the place of the base's, by name.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    saved: Mapping[str, torch.Tensor] = field(default_factory=dict)

    @property
    def touched(self) -> set[str]:
        """The tensors of the base that are not what they were."""
        return {*self.changes, *self.saved}


def read(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> Adapter:
    """The adapter in `folder`.

    Args:
        folder: as PEFT saves one.
        shapes: of the base's tensors. The head may be missing where it is the embedding.

    Raises:
        ExportProblem: the adapter is of a kind that is not merged here, does not fit the base,
            or holds values that are no numbers.
    """
    config = _config(folder)
    _refuse_unsupported(folder, config)
    tensors = _tensors(folder)
    shapes = {HEAD: shapes[EMBEDDING], **shapes} if EMBEDDING in shapes else shapes
    found: dict[str, Change] = {}
    used: set[str] = set()
    for name in sorted(tensors):
        ends = next((ends for ends in _KINDS if name.endswith(ends[0])), None)
        if ends is None:
            continue
        stem = name.removesuffix(ends[0])
        target = stem.removeprefix(_PREFIX) + ".weight"
        if target not in shapes or stem + ends[1] not in tensors:
            raise ExportProblem(f"{folder} changes {target}, which the base model has not")
        found[target] = _change(folder, config, tensors, stem, ends)
        used |= {name, stem + ends[1], *(stem + end for end in _MAGNITUDES)}
    saved = _saved(folder, {n: t for n, t in tensors.items() if n not in used}, shapes)
    for target, change in found.items():
        _check(folder, target, change, tuple(saved.get(target, _Shape(shapes[target])).shape))
    return Adapter(config, found, saved)


@dataclass(frozen=True)
class _Shape:
    shape: tuple[int, ...]


def blocks(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The rows of a tensor, some at a time: together they are the tensor, each is small."""
    rows = tensor if tensor.dim() else tensor[None]
    step = max(1, _BLOCK_VALUES // max(1, math.prod(rows.shape[1:])))
    return (rows[at : at + step] for at in range(0, rows.shape[0], step))


def _no_numbers(tensor: torch.Tensor) -> int:
    """How many values are none: `isfinite` of all of it would make tensors of its size."""
    return sum(int((~torch.isfinite(block)).sum()) for block in blocks(tensor))


def scale_of(config: Mapping[str, Any], module: str = "", rank: int = 0) -> float:
    """s of a matrix.

    Args:
        config: the content of adapter_config.json.
        module: which one, as `model.layers.0.self_attn.q_proj`.
        rank: of it; 0: the adapter's.
    """
    alpha = float(_of_pattern(config.get("alpha_pattern") or {}, module, config["lora_alpha"]))
    rank = rank or config["r"]
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _of_pattern(pattern: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    """PEFT's rule: a key is the end of a module's name, or an expression for it."""
    for key, value in pattern.items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return otherwise


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportProblem(
            f"{path} can not be read: {error}",
            hint=f"an adapter is a folder as PEFT saves one: {CONFIG} and {WEIGHTS}",
        ) from error
    if not isinstance(found, dict) or not {"r", "lora_alpha"} <= set(found):
        raise ExportProblem(f"{path} names no rank and alpha (r, lora_alpha): no adapter of LoRA")
    return found


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise ExportProblem(
            f"{folder / WEIGHTS} can not be read: {error}",
            hint="an adapter in a file of pickles (*.bin) is not read, as it can run code",
        ) from error


def _refuse_unsupported(folder: Path, config: Mapping[str, Any]) -> None:
    refused = {name: config[name] for name in _UNSUPPORTED if config.get(name)}
    if config.get("peft_type", "LORA") != "LORA":
        refused["peft_type"] = config["peft_type"]
    if config.get("bias", "none") != "none":
        refused["bias"] = config["bias"]
    if config.get("init_lora_weights") not in _PLAIN_STARTS:
        refused["init_lora_weights"] = config["init_lora_weights"]
    for option, why in _NEVER_MERGED.items():
        if config.get(option):
            raise ExportProblem(
                f"{folder} uses {option}={config[option]!r}: {why}, so that no merged model "
                "computes the same",
                hint="serve it with peft, or train an adapter without that option",
            )
    for option, value in refused.items():
        raise ExportProblem(
            f"{folder} uses {option}={value!r}, which is not merged here",
            hint="merge it with peft's merge_and_unload, and export the folder that it saves",
        )


def _change(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    stem: str,
    ends: tuple[str, str],
) -> Change:
    """Of one matrix, from the tensors of its part of the adapter."""
    module = stem.removeprefix(_PREFIX)
    first, second = tensors[stem + ends[0]], tensors[stem + ends[1]]
    magnitudes = [stem + end for end in _MAGNITUDES if stem + end in tensors]
    if bool(config.get("use_dora")) != bool(magnitudes):
        raise ExportProblem(
            f"{folder}: use_dora={bool(config.get('use_dora'))}, and {module}.weight has "
            f"{'a' if magnitudes else 'no'} magnitude"
        )
    magnitude = tensors[magnitudes[0]].flatten() if magnitudes else None
    scale = scale_of(config, module, first.shape[0])
    if ends == _KINDS[0]:
        return Change(first, second, scale, magnitude)
    if magnitude is not None:
        raise ExportProblem(
            f"{folder} has a magnitude for the embedding {module}, which is not merged here",
            hint="merge it with peft's merge_and_unload, and export the folder that it saves",
        )
    # An embedding's rows are its inputs: (outputs, rank) @ (rank, inputs), turned round.
    return Change(second.T, first.T, scale)


def _saved(
    folder: Path, left: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, torch.Tensor]:
    """Tensors that take the place of the base's; an embedding may have got more rows."""
    found = {}
    for name, tensor in left.items():
        target = _WRAPPED.sub("", name).removeprefix(_PREFIX)
        if target not in shapes:
            raise ExportProblem(f"{folder} holds {name}, which nothing here uses")
        shape, new = shapes[target], tuple(tensor.shape)
        longer = target in (EMBEDDING, HEAD) and new[1:] == shape[1:] and new[0] >= shape[0]
        if new != shape and not longer:
            raise ExportProblem(f"{folder} has {target} of shape {new}, the base has {shape}")
        if bad := _no_numbers(tensor):
            raise ExportProblem(f"{folder} has {bad} values in {target} that are no numbers")
        found[target] = tensor
    return found


def _check(folder: Path, target: str, change: Change, shape: tuple[int, ...]) -> None:
    """Refuse a change that does not fit its matrix, or is no number."""
    outputs, inputs = change.second.shape[0], change.first.shape[1]
    parts = [change.first, change.second]
    if change.magnitude is not None:
        parts.append(change.magnitude)
    bad = sum(_no_numbers(part) for part in parts)
    if (outputs, inputs) != shape or change.first.shape[0] != change.second.shape[1] or bad:
        raise ExportProblem(
            f"{folder} changes {target} by a {(outputs, inputs)} matrix made from {bad} values "
            f"that are no numbers; the base has {shape}",
            hint="is it the adapter of another base?",
        )
