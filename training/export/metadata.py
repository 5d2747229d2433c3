"""What a GGUF file says of its model: shape, positions, name, licence, what it was made from.

Nothing in it depends on when or where it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gguf

from assistant.format import FORMAT_NAME, FORMAT_VERSION
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from training.chat import CHATML, Chat
from training.export import families, rotary
from training.export.families import Family

CARD = "assistant.card."
"""What the names of the run's card begin with."""
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
    chat: Chat | None = CHATML
    """None: the model's own template and special tokens."""
    origin: Origin | None = None
    follows_format: bool = True
    """It was tuned on the completion format, so that it needs no instruction."""
    card: Mapping[str, str] = field(default_factory=dict)
    """Of the run that made it (recipe, hash of the data, scores), as `assistant.card.*`."""


def add(
    writer: gguf.GGUFWriter, family: Family, described: Mapping[str, Any], rows: int,
    file_type: gguf.LlamaFileType, labels: Labels,
) -> None:  # fmt: skip
    """Write everything but the vocabulary.

    Args:
        writer: of the file.
        family: of the model.
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
    writer.add_context_length(families.context(family, described))
    writer.add_embedding_length(described["hidden_size"])
    writer.add_block_count(described["num_hidden_layers"])
    writer.add_feed_forward_length(described["intermediate_size"])
    writer.add_head_count(described["num_attention_heads"])
    writer.add_head_count_kv(families.kv_heads(described))
    writer.add_layer_norm_rms_eps(described["rms_norm_eps"])
    head = families.head_size(described)
    rotary.add(writer, described, families.base(family, described))
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_vocab_size(rows)
    for setting, method in family.scales:
        getattr(writer, method)(float(described.get(setting, 1.0)))
    if labels.follows_format:
        writer.add_string(METADATA_NAME_KEY, FORMAT_NAME)
        writer.add_uint32(METADATA_VERSION_KEY, FORMAT_VERSION)
    for name, text in sorted(labels.card.items()):
        writer.add_string(CARD + name, text)


def _add_origin(writer: gguf.GGUFWriter, origin: Origin) -> None:
    organisation, _, name = origin.source.rpartition("/")
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, name)
    if origin.revision:
        writer.add_base_model_version(0, origin.revision)
        writer.add_base_model_organization(0, organisation)
        writer.add_base_model_repo_url(0, f"https://huggingface.co/{origin.source}")
