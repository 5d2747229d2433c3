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


_BETAS = {"beta_fast": 32.0, "beta_slow": 1.0}
"""Where yarn's ramp begins and ends. llama.cpp does not read the keys for them in these models."""


def obstacle(described: Mapping[str, Any]) -> str:
    """Why positions of a known kind can not be exported; empty if they can."""
    found, scaling = kind(described), settings(described)[1]
    for name in _NEEDED.get(found, ()):
        if isinstance(scaling.get(name), bool) or not isinstance(scaling.get(name), int | float):
            return f"rotary positions of the type {found!r}, and its config.json no {name} of them"
    if found == "yarn":
        for name, value in _BETAS.items():
            if scaling.get(name) not in (None, value):
                return f"yarn with {name}={scaling[name]}, where llama.cpp has {value:g}"
        if scaling.get("truncate", True) is not True:
            return "yarn with truncate=false, which llama.cpp has not"
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
    if scaling.get("attention_factor") is not None:
        writer.add_rope_scaling_yarn_attn_factor(float(scaling["attention_factor"]))
    usual = _yarn_scale(factor, 1.0)
    if (wanted := _attention_factor(scaling, factor)) != usual:
        # llama.cpp computes the usual one whatever that key says; this one multiplies it.
        writer.add_rope_scaling_attn_factors(wanted / usual)


def _attention_factor(scaling: Mapping[str, Any], factor: float) -> float:
    """What yarn multiplies queries and keys by, in transformers' words."""
    said = scaling.get("attention_factor")
    if said is not None:
        return float(said)
    one, all_dimensions = scaling.get("mscale"), scaling.get("mscale_all_dim")
    if one and all_dimensions:
        return _yarn_scale(factor, float(one)) / _yarn_scale(factor, float(all_dimensions))
    return _yarn_scale(factor, 1.0)


def _yarn_scale(factor: float, share: float) -> float:
    return 0.1 * share * math.log(factor) + 1.0 if factor > 1 else 1.0
