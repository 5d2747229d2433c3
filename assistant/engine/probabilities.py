"""How sure the model was of a token, and what else it could have said."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy

from assistant.engine.rows import largest
from assistant.engine.types import TokenProbability

if TYPE_CHECKING:
    from assistant.engine.rows import Logits


def probability(
    logits: Logits, token: int, alternatives: int, piece_of: Callable[[int], bytes]
) -> TokenProbability:
    """The logarithm of the probability of `token`, and of the most likely ones.

    Args:
        logits: the model's own, ``(vocabulary,)``; they stay as they are.
        token: that was chosen or forced.
        alternatives: how many of the most likely to tell; 0: none.
        piece_of: the bytes of a token.
    """
    top = float(logits.max())
    # The differences are exact enough in float32; the sum of 128,256 of them is not.
    total = top + math.log(float(numpy.exp(logits - top).sum(dtype=numpy.float64)))
    places = largest(logits, alternatives)
    best = places[numpy.lexsort((places, -logits[places]))][:alternatives].tolist()
    return TokenProbability(
        token,
        piece_of(token),
        float(logits[token]) - total,
        tuple((other, piece_of(other), float(logits[other]) - total) for other in best),
    )
