"""How far a file of each type may be from the model that it was made from.

Two kinds of bounds, because one number does not serve both kinds of models:

- The normalised squared error of the logits holds for every model. The bounds lie two to ten
  times above what models of two and three layers with random weights have, whose errors are
  larger than those of trained ones. What a type rounds away adds up over the layers (measured at
  8 and 32 of them), and the bounds with it; where they reach 1, the logits of a right file and of
  any other are equally far, and there is no bound.
- Divergence and the share of equal likeliest tokens are for a trained model of billions of
  weights. The figures behind them are llama.cpp's for Llama 3 8B (tools/perplexity/README.md);
  the bounds lie about twice above. A model with random weights is nearly indifferent between
  tokens, so that the likeliest changes by nothing; one of some millions of weights has less to
  spare, and gets `SMALL_FACTOR` times as much. Whether a model is trained is seen from its loss.

An error in the export itself (an order of rows, a frequency, a scale) is many times above the
bound at F32, where nothing is rounded; at four bits a small one is lost in the rounding. So a new
kind of model is to be looked at in F32 first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LARGE = 3_000_000_000
"""Weights from which the bounds of large models hold."""
SMALL_FACTOR = 4
"""What smaller ones may lose, in multiples of that. Chosen: there is no public table for them."""
KNOWS = 0.8
"""A model whose mean loss on the text is less than this share of that of a guess among all tokens
counts as trained."""
_LAYERS = 3
"""Of the models that the bounds of the squared error were measured on."""
_CACHE_NMSE = 1e-5
"""What a cache of keys and values in float16 may add."""


@dataclass(frozen=True)
class Gate:
    """Bounds of one type.

    Attributes:
        nmse: of the error's square to the logits', largest.
        mean_kld: divergence of the file from the model, nats, largest.
        same_top: share of places with the same likeliest token, smallest.
    """

    nmse: float
    mean_kld: float = math.inf
    same_top: float = 0.0

    @property
    def bounds_nothing(self) -> bool:
        """Whether every file of numbers passes."""
        return math.isinf(self.nmse) and math.isinf(self.mean_kld)


_EIGHT, _SIX = Gate(1e-2, 3e-3, 0.97), Gate(5e-2, 1.2e-2, 0.94)
_FIVE, _FOUR, _FOUR_PLAIN = Gate(0.1, 2.5e-2, 0.92), Gate(0.4, 6e-2, 0.90), Gate(0.5, 0.15, 0.84)
_THREE, _TWO = Gate(0.8, 0.3, 0.75), Gate(math.inf, 0.9, 0.60)
_OF_TYPES = {
    "F32": Gate(1e-8, 1e-6, 0.999), "F16": Gate(2e-5, 5e-4, 0.995), "BF16": Gate(1e-3, 1e-3, 0.99),
    "Q8_0": _EIGHT, "Q6_K": _SIX,
    "Q5_K_M": _FIVE, "Q5_K_S": _FIVE, "Q5_1": _FIVE, "Q5_0": _FIVE,
    "Q4_K_M": _FOUR, "Q4_K_S": _FOUR, "IQ4_NL": _FOUR, "IQ4_XS": _FOUR,
    "Q4_0": _FOUR_PLAIN, "Q4_1": _FOUR_PLAIN, "MXFP4_MOE": _FOUR_PLAIN,
    "Q3_K_L": _THREE, "Q3_K_M": _THREE, "Q3_K_S": _THREE, "IQ3_M": _THREE, "IQ3_S": _THREE,
    "Q2_K": _TWO,
}  # fmt: skip
_OTHERS = Gate(math.inf)
"""Types that lose so much, or are so rare, that no figures are known."""


def gate(
    type_name: str, parameters: int, layers: int, loss: float, rows: int, *, exact: bool = True
) -> Gate:
    """The bounds for one file.

    Args:
        type_name: how its matrices are stored.
        parameters: weights of the model.
        layers: that it has.
        loss: its mean loss on the text, nats a token; not a number where it is not known.
        rows: tokens of its vocabulary.
        exact: keys and values were kept in float32.
    """
    found = _OF_TYPES.get(type_name.upper(), _OTHERS)
    nmse = found.nmse
    if type_name.upper() != "F32":
        nmse *= max(1.0, layers / _LAYERS)
    nmse = math.inf if nmse >= 1 else nmse
    if not exact:
        nmse += _CACHE_NMSE
    if not loss < KNOWS * math.log(rows):
        return Gate(nmse)
    factor = 1 if parameters >= LARGE else SMALL_FACTOR
    kld = found.mean_kld * factor + (0.0 if exact else _CACHE_NMSE)
    return Gate(nmse, kld, 1 - (1 - found.same_top) * factor)
