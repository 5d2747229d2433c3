"""What a GGUF file says of its model: shape, positions, name, licence, what it was made from.

Nothing in it depends on when or where it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gguf
import numpy as np

from assistant.errors import ExportProblem
from assistant.format import FORMAT_NAME, FORMAT_VERSION
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from training.chat import CHATML, Chat

ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2"}
"""llama.cpp's name by transformers'."""
FROM_SCRATCH = (
    "Trained from scratch by `assistant train`; reasoning written by a program. "
    "No other model's weights or outputs are in it."
)


@dataclass(frozen=True)
class Origin:
    """The model that another was made from."""

    source: str
    """`org/name` of the hub, or the name of a folder."""
    revision: str
    """Commit on the hub; empty for a folder."""


@dataclass(frozen=True)
class Labels:
    """What a file says that the weights do not."""

    name: str
    licence: str = "apache-2.0"
    description: str = FROM_SCRATCH
    chat: Chat = CHATML
    origin: Origin | None = None
    follows_format: bool = True
    """It was tuned on the completion format, so that it needs no instruction."""


def rope(described: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    """Base and scaling of the rotary positions, from a configuration of either form.

    transformers 5 writes `rope_parameters`; before it there were `rope_theta` and `rope_scaling`.
    """
    found = described.get("rope_parameters")
    if found is not None:
        return float(found["rope_theta"]), dict(found)
    return float(described.get("rope_theta", 10000.0)), dict(described.get("rope_scaling") or {})


def head_size(described: Mapping[str, Any]) -> int:
    """Size of one attention head."""
    size = described.get("head_dim") or (
        described["hidden_size"] // described["num_attention_heads"]
    )
    return int(size)


def rope_factors(described: Mapping[str, Any]) -> np.ndarray | None:
    """Llama 3's divisors of the rotary frequencies, float32, ``(head size / 2,)``; else None.

    Slow waves are stretched by `factor`, quick ones are left, those between are mixed.
    Source: arXiv 2407.21783 (section 3.4.2) and the reference code of Llama 3.1.

    Raises:
        ExportProblem: the positions are scaled in another way.
    """
    base, scaling = rope(described)
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind == "default":
        return None
    if kind != "llama3":
        raise ExportProblem(f"rotary positions of the type {kind!r} are not exported here")
    size = head_size(described)
    waves = 2 * np.pi * base ** (np.arange(0, size, 2, dtype=np.float64) / size)
    factor, low = float(scaling["factor"]), float(scaling["low_freq_factor"])
    high, old = float(scaling["high_freq_factor"]), scaling["original_max_position_embeddings"]
    share = np.clip((old / waves - low) / (high - low), 0.0, 1.0)
    mixed: np.ndarray = 1.0 / ((1.0 - share) / factor + share)
    return np.asarray(mixed, dtype=np.float32)


def add(
    writer: gguf.GGUFWriter, described: Mapping[str, Any], rows: int,
    file_type: gguf.LlamaFileType, labels: Labels,
) -> None:  # fmt: skip
    """Write everything but the vocabulary.

    Args:
        writer: of the file.
        described: the model's configuration.
        rows: of its embedding.
        file_type: how most matrices are stored.
        labels: name, licence, origin.
    """
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(labels.name)
    writer.add_license(labels.licence)
    writer.add_description(labels.description)
    if labels.origin is not None:
        _add_origin(writer, labels.origin)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(described["max_position_embeddings"])
    writer.add_embedding_length(described["hidden_size"])
    writer.add_block_count(described["num_hidden_layers"])
    writer.add_feed_forward_length(described["intermediate_size"])
    writer.add_head_count(described["num_attention_heads"])
    writer.add_head_count_kv(kv_heads(described))
    writer.add_layer_norm_rms_eps(described["rms_norm_eps"])
    # Without it llama.cpp takes 10,000 and says nothing.
    writer.add_rope_freq_base(rope(described)[0])
    head = head_size(described)
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_vocab_size(rows)
    if labels.follows_format:
        writer.add_string(METADATA_NAME_KEY, FORMAT_NAME)
        writer.add_uint32(METADATA_VERSION_KEY, FORMAT_VERSION)


def kv_heads(described: Mapping[str, Any]) -> int:
    """Heads that keys and values have."""
    return int(described.get("num_key_value_heads") or described["num_attention_heads"])


def _add_origin(writer: gguf.GGUFWriter, origin: Origin) -> None:
    organisation, _, name = origin.source.rpartition("/")
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, name)
    if origin.revision:
        writer.add_base_model_version(0, origin.revision)
        writer.add_base_model_organization(0, organisation)
        writer.add_base_model_repo_url(0, f"https://huggingface.co/{origin.source}")
