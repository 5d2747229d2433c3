"""Kinds of models: llama.cpp's name and order of their tensors, and what it can not compute.

transformers rotates halves of a head, and so does llama.cpp for `qwen2` and `qwen3`. For the
others it rotates neighbouring pairs: their query and key rows are reordered within each head.
What llama.cpp has no place for is refused here, before anything long begins: it would either not
load the file or compute something else without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.errors import ExportProblem
from training.export import rotary

EMBEDDING, HEAD, NORM = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"
_QKV = ("attn_q", "attn_k", "attn_v")
_FEED = ("ffn_gate", "ffn_up", "ffn_down")
_NEEDED = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
    "num_attention_heads", "max_position_embeddings", "rms_norm_eps",
)  # fmt: skip
_PARTS = (
    ("input_layernorm", "attn_norm", ("hidden",)),
    ("self_attn.q_proj", "attn_q", ("queries", "hidden")),
    ("self_attn.k_proj", "attn_k", ("keys", "hidden")),
    ("self_attn.v_proj", "attn_v", ("keys", "hidden")),
    ("self_attn.q_norm", "attn_q_norm", ("head",)),
    ("self_attn.k_norm", "attn_k_norm", ("head",)),
    ("self_attn.o_proj", "attn_output", ("hidden", "queries")),
    ("post_attention_layernorm", "ffn_norm", ("hidden",)),
    ("mlp.gate_proj", "ffn_gate", ("feed", "hidden")),
    ("mlp.up_proj", "ffn_up", ("feed", "hidden")),
    ("mlp.down_proj", "ffn_down", ("hidden", "feed")),
)
"""Of one layer: transformers' name, llama.cpp's, and the sizes of its matrix."""
_STEP_WITHOUT_POSITIONS = 4
"""In SmolLM3 every fourth layer has no rotary positions; llama.cpp knows no other way."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file.

    Attributes:
        source: its name in the checkpoint.
        name: its name in the file.
        shape: in the checkpoint's order, ``(rows, columns)`` or ``(values,)``.
        heads: its rows are reordered within so many heads; 0: they stay as they are.
    """

    source: str
    name: str
    shape: tuple[int, ...]
    heads: int = 0


@dataclass(frozen=True)
class Family:
    """A kind of models.

    Attributes:
        model_type: transformers' name.
        architecture: llama.cpp's name.
        reordered: query and key rows are reordered.
        normed: queries and keys have norms of their own.
        biases: the settings that give biases to parts, and the parts; "" where they always are.
        ropes: the ways to scale rotary positions that llama.cpp has for it.
        base: of the rotary positions, where a configuration names none.
        tied: the head is the embedding, where a configuration does not say.
        window: of attention in tokens, where a configuration does not say; 0: none.
        needed: settings without which a configuration is refused; `_NEEDED` and these.
        scales: settings that multiply, each 1 where it is not said, and the writer's method.
    """

    model_type: str
    architecture: str
    reordered: bool = False
    normed: bool = False
    biases: Mapping[str, tuple[str, ...]] | None = None
    ropes: tuple[str, ...] = rotary.KINDS
    base: float = 10000.0
    tied: bool = False
    window: int = 0
    needed: tuple[str, ...] = ()
    scales: tuple[tuple[str, str], ...] = ()


_LLAMA_BIASES = {"attention_bias": (*_QKV, "attn_output"), "mlp_bias": _FEED}
_WITHOUT_LLAMA3 = ("default", "linear", "yarn")
_FAMILIES = (
    Family("llama", "llama", reordered=True, biases=_LLAMA_BIASES),
    Family(
        "mistral", "llama", reordered=True, window=4096, needed=("num_key_value_heads",)
    ),
    Family(
        "qwen2", "qwen2", biases={"": _QKV}, ropes=_WITHOUT_LLAMA3,
        needed=("num_key_value_heads",),
    ),
    Family(
        "qwen3", "qwen3", normed=True, ropes=_WITHOUT_LLAMA3,
        needed=("num_key_value_heads", "head_dim"),
    ),
    Family(
        "smollm3", "smollm3", reordered=True, ropes=_WITHOUT_LLAMA3, base=2000000.0, tied=True,
        needed=("num_key_value_heads",),
    ),
    Family(
        "granite", "granite", reordered=True, biases=_LLAMA_BIASES,
        scales=(
            ("attention_multiplier", "add_attention_scale"),
            ("embedding_multiplier", "add_embedding_scale"),
            ("residual_multiplier", "add_residual_scale"),
            ("logits_scaling", "add_logit_scale"),
        ),
    ),
)  # fmt: skip
KNOWN = {family.model_type: family for family in _FAMILIES}
"""By transformers' name."""


def find(described: Mapping[str, Any]) -> Family:
    """The kind of a model.

    Args:
        described: the content of its config.json.

    Raises:
        ExportProblem: it is unknown, or has something that is not exported here.
    """
    family = KNOWN.get(str(described.get("model_type")))
    if family is None:
        raise ExportProblem(
            f"the model is of the type {described.get('model_type')!r}; exported are "
            f"{', '.join(KNOWN)}"
        )
    for name in (*_NEEDED, *family.needed):
        if described.get(name) is None:
            raise ExportProblem(f"config.json of a {family.model_type} model says no {name}")
    if why := next(_obstacles(family, described), ""):
        raise ExportProblem(f"the {family.model_type} model has {why}")
    return family


def _obstacles(family: Family, described: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a model from being exported, in words that follow "the model has"."""
    if described.get("quantization_config"):
        yield "quantised weights; take the model that they were made from"
    if (act := described.get("hidden_act", "silu")) not in ("silu", "swish"):
        yield f"the activation hidden_act={act!r}, where llama.cpp has silu"
    if (kind := rotary.kind(described)) not in family.ropes:
        yield f"rotary positions of the type {kind!r}; exported are {', '.join(family.ropes)}"
    if why := rotary.obstacle(described):
        yield why
    scaling = rotary.settings(described)[1]
    for part in (described.get("partial_rotary_factor"), scaling.get("partial_rotary_factor")):
        if part not in (None, 1):
            yield f"positions in a part of each head (partial_rotary_factor={part})"
    allowed = family.biases or {}
    for name in ("attention_bias", "mlp_bias"):
        if described.get(name) and name not in allowed and "" not in allowed:
            yield f"biases ({name}=true), for which llama.cpp has no place"
    if family.model_type == "smollm3" and not _every_fourth_without(described):
        yield (
            "positions in other layers (no_rope_layers) than all "
            "but every fourth, which is what llama.cpp computes"
        )
    rows = described["num_attention_heads"] * head_size(described)
    if family.architecture == "qwen2" and rows != described["hidden_size"]:
        yield f"heads of {rows} values in all beside hidden_size={described['hidden_size']}"


def _every_fourth_without(described: Mapping[str, Any]) -> bool:
    """Whether every fourth layer, and no other, has no rotary positions (0 in the list)."""
    count = described["num_hidden_layers"]
    step = described.get("no_rope_layer_interval", _STEP_WITHOUT_POSITIONS)
    found = described.get("no_rope_layers") or [
        int((layer + 1) % step != 0) for layer in range(count)
    ]
    wanted = [int((layer + 1) % _STEP_WITHOUT_POSITIONS != 0) for layer in range(count)]
    return list(map(int, found[:count])) == wanted


def kv_heads(described: Mapping[str, Any]) -> int:
    """Heads that keys and values have."""
    return int(described.get("num_key_value_heads") or described["num_attention_heads"])


def head_size(described: Mapping[str, Any]) -> int:
    """Size of one attention head."""
    size = described.get("head_dim") or (
        described["hidden_size"] // described["num_attention_heads"]
    )
    return int(size)


def tied(family: Family, described: Mapping[str, Any]) -> bool:
    """Whether the head is the embedding."""
    found = described.get("tie_word_embeddings")
    return family.tied if found is None else bool(found)


def base(family: Family, described: Mapping[str, Any]) -> float:
    """Of the rotary positions."""
    return rotary.settings(described, family.base)[0]


def context(family: Family, described: Mapping[str, Any]) -> int:
    """Tokens up to which the file computes what the model computes.

    llama.cpp has no attention window for these kinds. Up to the window's length it makes no
    difference, so the file says that length.
    """
    longest = int(described["max_position_embeddings"])
    window = described.get("sliding_window", family.window)
    if not family.window and not described.get("use_sliding_window"):
        window = 0
    return min(longest, int(window)) if window else longest


def constants(family: Family, described: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Tensors that are computed from the configuration, float32, by their names in the file."""
    found = rotary.factors(described, head_size(described), base(family, described))
    return {} if found is None else {rotary.FACTORS: found}


def tensors(
    family: Family, shapes: Mapping[str, tuple[int, ...]], described: Mapping[str, Any]
) -> list[Tensor]:
    """What goes into the file, in the order of the computation.

    A head that is the embedding is left out, and what older checkpoints keep of the rotary
    frequencies.

    Args:
        family: of the model.
        shapes: of the checkpoint's tensors, by name.
        described: the model's configuration.

    Raises:
        ExportProblem: a tensor is missing, unknown, or of another shape than the configuration
            says.
    """
    found = [Tensor(source, name, shape) for source, name, shape in _outer(family, described)]
    found[1:1] = _layers(family, described)
    for one in found:
        if one.source not in shapes:
            raise ExportProblem(
                f"the model has no tensor {one.source}",
                hint="config.json and the weights do not belong together, or a file is missing",
            )
        if tuple(shapes[one.source]) != one.shape:
            raise ExportProblem(
                f"{one.source} is {shapes[one.source]}, where config.json says {one.shape}"
            )
    known = {one.source for one in found} | {HEAD}
    for name in shapes:
        if name not in known and not name.endswith(".rotary_emb.inv_freq"):
            raise ExportProblem(
                f"llama.cpp has no place for the tensor {name} in a {family.model_type} model"
            )
    return found


def _outer(
    family: Family, described: Mapping[str, Any]
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    rows, width = described["vocab_size"], described["hidden_size"]
    yield EMBEDDING, "token_embd.weight", (rows, width)
    yield NORM, "output_norm.weight", (width,)
    if not tied(family, described):
        yield HEAD, "output.weight", (rows, width)


def _layers(family: Family, described: Mapping[str, Any]) -> list[Tensor]:
    """Of all layers."""
    heads, groups, head = (
        described["num_attention_heads"], kv_heads(described), head_size(described),
    )  # fmt: skip
    sizes = {
        "hidden": described["hidden_size"], "feed": described["intermediate_size"],
        "queries": heads * head, "keys": groups * head, "head": head,
    }  # fmt: skip
    pairs = {"attn_q": heads, "attn_k": groups} if family.reordered else {}
    biased = {
        part
        for setting, parts in (family.biases or {}).items()
        if not setting or described.get(setting)
        for part in parts
    }
    found = []
    for layer in range(described["num_hidden_layers"]):
        for part, name, dimensions in _PARTS:
            if name.endswith(("q_norm", "k_norm")) and not family.normed:
                continue
            source, target = f"model.layers.{layer}.{part}", f"blk.{layer}.{name}"
            shape = tuple(sizes[one] for one in dimensions)
            turned = pairs.get(name, 0)
            found.append(Tensor(f"{source}.weight", f"{target}.weight", shape, turned))
            if name in biased:
                found.append(Tensor(f"{source}.bias", f"{target}.bias", shape[:1], turned))
    return found
