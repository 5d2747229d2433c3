"""Adapters in GGUF for the tiny models of `tiny_gguf`, written on the spot.

One for a chain changes the output matrix: a row of A is what the model knows after a token, and the
column of B beside it makes another token likely there than before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.support import tiny_gguf
from tests.support.tiny_gguf import Tiny

ALPHA = 12.0


def of_chain(base: Tiny, chain: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The matrices that make `chain` of the chain of `base`, in this way of counting: alpha / rank
    is not 1."""
    ids, embedding = _embedding(base)
    assert base.chain is not None
    changed = {token: text for token, text in chain.items() if base.chain.get(token) != text}
    first = np.stack([embedding[ids[token]] for token in changed])
    second = np.zeros((len(embedding), len(changed)), np.float32)
    for column, (token, text) in enumerate(changed.items()):
        second[ids[text], column] += 1
        if token in base.chain:
            second[ids[base.chain[token]], column] -= 1
    second *= np.float32(len(changed) / ALPHA)
    return {"output.weight.lora_a": first, "output.weight.lora_b": second}


def _embedding(base: Tiny) -> tuple[dict[str, int], np.ndarray]:
    specials = [
        *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        *(tiny_gguf.FIM if base.fim else ()),
    ]
    texts = tiny_gguf._texts(base, [*specials, *base.specials])
    ids = {text: index for index, text in enumerate(texts)}
    return ids, tiny_gguf._tensors(base, len(texts), ids)["token_embd.weight"]


def random_of(base: Tiny, names: tuple[str, ...], rank: int = 3) -> dict[str, np.ndarray]:
    """Random matrices for some of the square ones of a model with random weights."""
    chance, found = np.random.default_rng(7), {}
    for name in names:
        for part, shape in (("lora_a", (rank, base.width)), ("lora_b", (base.width, rank))):
            found[f"{name}.{part}"] = chance.standard_normal(shape, np.float32) * np.float32(0.1)
    return found


def write(
    path: Path,
    tensors: Mapping[str, np.ndarray],
    *,
    template: str | None = None,
    format: tuple[str, int] | None = None,
    architecture: str = "llama",
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write an adapter.

    Args:
        path: of the file.
        tensors: A and B by their names in the file.
        template: of a chat, which the base need not have.
        format: name and version of the completion format.
        architecture: of the base.
        metadata: other values in the place of the right ones; None leaves one out.
    """
    said: dict[str, Any] = {
        "general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": np.float32(ALPHA),
        **(metadata or {}),
    }  # fmt: skip
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in said.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, np.float32):
            writer.add_float32(key, float(value))
        elif isinstance(value, float):
            writer.add_float64(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
        elif value is not None:
            writer.add_uint32(key, value)
    if template is not None:
        writer.add_chat_template(template)
    if format is not None:
        writer.add_string("assistant.format.name", format[0])
        writer.add_uint32("assistant.format.version", format[1])
    for name, array in tensors.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
