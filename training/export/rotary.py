"""Rotary positions of a configuration, in llama.cpp's words.

default   nothing more than the base
llama3    a tensor with a divisor of each frequency
linear    a key: all frequencies divided by the same number
yarn      keys: slow frequencies divided, quick ones left, the logits' scale corrected
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gguf
import numpy as np

FACTORS = "rope_freqs.weight"
"""The tensor with the divisors."""
KINDS = ("default", "llama3", "linear", "yarn")


def settings(
    described: Mapping[str, Any], default_base: float = 10000.0
) -> tuple[float, dict[str, Any]]:
    """Base and scaling of the positions, from a configuration of either form.

    transformers 5 writes `rope_parameters`; before it there were `rope_theta` and `rope_scaling`.

    Args:
        described: the model's configuration.
        default_base: of the kind of model, where the configuration names none.
    """
    found = dict(described.get("rope_parameters") or described.get("rope_scaling") or {})
    base = found.get("rope_theta") or described.get("rope_theta") or default_base
    return float(base), found


def kind(described: Mapping[str, Any]) -> str:
    """How the positions are scaled: one of `KINDS`, or what is not exported here."""
    scaling = settings(described)[1]
    return str(scaling.get("rope_type") or scaling.get("type") or "default")


_NEEDED = {
    "llama3": (
        "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
    ),
    "linear": ("factor",),
    "yarn": ("factor",),
}  # fmt: skip


def missing(described: Mapping[str, Any]) -> str:
    """The first number that the scaling needs and has not; empty if there is none."""
    scaling = settings(described)[1]
    for name in _NEEDED.get(kind(described), ()):
        if isinstance(scaling.get(name), bool) or not isinstance(scaling.get(name), int | float):
            return name
    return ""


def factors(described: Mapping[str, Any], size: int, base: float) -> np.ndarray | None:
    """Llama 3's divisors of the rotary frequencies, float32, ``(size / 2,)``; else None.

    Slow waves are stretched by `factor`, quick ones are left, those between are mixed.
    Source: arXiv 2407.21783 (section 3.4.2) and the reference code of Llama 3.1.

    Args:
        described: the model's configuration.
        size: of one head.
        base: of the frequencies.
    """
    if kind(described) != "llama3":
        return None
    scaling = settings(described)[1]
    factor, low, high, old = (float(scaling[name]) for name in _NEEDED["llama3"])
    waves = 2 * np.pi * base ** (np.arange(0, size, 2, dtype=np.float64) / size)
    share = np.clip((old / waves - low) / (high - low), 0.0, 1.0)
    mixed: np.ndarray = 1.0 / ((1.0 - share) / factor + share)
    return np.asarray(mixed, dtype=np.float32)


def add(writer: gguf.GGUFWriter, described: Mapping[str, Any], base: float) -> None:
    """Write the base, and the keys of a scaling that has such."""
    # Without it llama.cpp takes 10,000 and says nothing.
    writer.add_rope_freq_base(base)
    found, scaling = kind(described), settings(described)[1]
    if found == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(scaling["factor"]))
    if found == "yarn":
        _add_yarn(writer, described, scaling)


def _add_yarn(
    writer: gguf.GGUFWriter, described: Mapping[str, Any], scaling: Mapping[str, Any]
) -> None:
    factor = float(scaling["factor"])
    old = scaling.get("original_max_position_embeddings")
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(factor)
    writer.add_rope_scaling_orig_ctx_len(int(old or described["max_position_embeddings"]))
    for name, add in (
        ("beta_fast", writer.add_rope_scaling_yarn_beta_fast),
        ("beta_slow", writer.add_rope_scaling_yarn_beta_slow),
    ):
        if scaling.get(name) is not None:
            add(float(scaling[name]))
    scale = scaling.get("attention_factor")
    if scale is not None:
        writer.add_rope_scaling_yarn_attn_factor(float(scale))
        # llama.cpp computes the usual scale whatever that key says; this one multiplies it.
        usual = 0.1 * math.log(factor) + 1.0 if factor > 1 else 1.0
        writer.add_rope_scaling_attn_factors(float(scale) / usual)
