"""The types that llama.cpp's quantiser makes: mixtures of block formats, chosen by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Type:
    """A way to store a model."""

    number: int
    """llama.cpp's, of a file."""
    bits: float
    """Of one weight of an 8B Llama 3, on average; `quantiser.planned` has it for any model."""
    needs_importance: bool = False
    """Without an importance matrix llama.cpp refuses: the result would be of no use."""


TYPES: Mapping[str, Type] = {
    "Q8_0": Type(7, 8.5),
    "Q6_K": Type(18, 6.57),
    "Q5_K_M": Type(17, 5.71),
    "Q5_K_S": Type(16, 5.57),
    "Q5_1": Type(9, 6.04),
    "Q5_0": Type(8, 5.57),
    "Q4_K_M": Type(15, 4.9),
    "Q4_K_S": Type(14, 4.67),
    "Q4_1": Type(3, 5.11),
    "Q4_0": Type(2, 4.64),
    "IQ4_NL": Type(25, 4.68),
    "IQ4_XS": Type(30, 4.46),
    "Q3_K_L": Type(13, 4.3),
    "Q3_K_M": Type(12, 4.0),
    "Q3_K_S": Type(11, 3.65),
    "IQ3_M": Type(27, 3.77),
    "IQ3_S": Type(26, 3.66),
    "IQ3_XS": Type(22, 3.5, needs_importance=True),
    "IQ3_XXS": Type(23, 3.26, needs_importance=True),
    "Q2_K": Type(10, 3.16),
    "Q2_K_S": Type(21, 2.97, needs_importance=True),
    "IQ2_M": Type(29, 2.93, needs_importance=True),
    "IQ2_S": Type(28, 2.74, needs_importance=True),
    "IQ2_XS": Type(20, 2.59, needs_importance=True),
    "IQ2_XXS": Type(19, 2.38, needs_importance=True),
    "IQ1_M": Type(31, 2.15, needs_importance=True),
    "IQ1_S": Type(24, 2.01, needs_importance=True),
    # For models that were trained with three values only.
    "TQ2_0": Type(37, 2.52),
    "TQ1_0": Type(36, 2.19),
}
"""By name. F32, F16 and BF16 are absent: the export writes them itself."""
