"""What an F16 file holds: which tensors, and how much of what the adapter adds.

Some rows of some matrices are held against W + s * B @ A in float64. In float16 and bfloat16 part
of a small change is rounded away; a wrong scale or a wrong order of rows would lose all of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from safetensors import safe_open

from tests.bench.export import model

_NAMES = {
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
    "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
}  # fmt: skip
_REORDERED = ("q_proj", "k_proj")


@dataclass(frozen=True)
class Kept:
    """What is in a file.

    Attributes:
        tensors: shape and type by name.
        lost: share of the adapter's change that is lost, by matrix.
    """

    tensors: dict[str, tuple[tuple[int, ...], str]]
    lost: dict[str, float]

    @property
    def most_lost(self) -> float:
        """Of all matrices that were looked at."""
        return max(self.lost.values())


def differing(one: Kept, other: Kept) -> list[str]:
    """Tensors that are not in both files, or not with the same shape and type."""
    names = sorted(one.tensors.keys() | other.tensors.keys())
    return [name for name in names if one.tensors.get(name) != other.tensors.get(name)]


def read(path: Path, base: Path, adapter: Path) -> Kept:
    """Look at the file `path`, made from `base` and `adapter`."""
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    tensors = {
        name: (tuple(int(size) for size in one.shape), one.tensor_type.name)
        for name, one in stored.items()
    }
    lost = {}
    for layer, part, before, change in _sampled(base, adapter):
        name = f"blk.{layer}.{_NAMES[part]}.weight"
        rows = np.asarray(stored[name].data[: len(before)], np.float64)
        wrong = rows - (before + change)
        lost[name] = float(np.sqrt((wrong**2).mean() / (change**2).mean()))
    return Kept(tensors, lost)


def _sampled(base: Path, adapter: Path) -> Iterator[tuple[int, str, np.ndarray, np.ndarray]]:
    """Layer, matrix, its first head's worth of rows and what the adapter adds to them, float64."""
    described = json.loads((base / "config.json").read_text(encoding="utf-8"))
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    index = json.loads((base / "model.safetensors.index.json").read_text(encoding="utf-8"))
    rows = described["hidden_size"] // described["num_attention_heads"]
    scale = model.scale(settings["r"], rslora=settings["use_rslora"])
    layers = described["num_hidden_layers"]
    with safe_open(adapter / "adapter_model.safetensors", "pt") as changes:
        for layer in sorted({0, layers // 2, layers - 1}):
            for part in _NAMES:
                name = model.linear(layer, part)
                with safe_open(base / index["weight_map"][name], "pt") as weights:
                    before = weights.get_slice(name)[:rows].double().numpy()
                first, second = model.adapter_names(layer, part)
                left = changes.get_slice(second)[:rows].double().numpy()
                change = scale * (left @ changes.get_tensor(first).double().numpy())
                if part in _REORDERED:
                    before, change = _reordered(before), _reordered(change)
                yield layer, part, before, change


def _reordered(head: np.ndarray) -> np.ndarray:
    """One head's rows, both halves of them in turn: llama.cpp rotates neighbours."""
    rows, columns = head.shape
    return head.reshape(2, rows // 2, columns).swapaxes(0, 1).reshape(rows, columns)
