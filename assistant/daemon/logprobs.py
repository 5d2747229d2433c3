"""Probabilities of tokens in the shapes of OpenAI's two interfaces and of llama-server's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assistant.engine.types import TokenProbability

_LOWEST = -9999.0
"""JSON has no infinity; OpenAI's interface uses this for what is impossible."""


def entries(probabilities: Sequence[TokenProbability]) -> list[dict[str, Any]]:
    """A token an entry, as chats and llama-server have it."""
    return [
        _entry(one.token, one.piece, one.logprob)
        | {"top_logprobs": [_entry(*other) for other in one.alternatives]}
        for one in probabilities
    ]


def columns(probabilities: Sequence[TokenProbability], offset: int) -> dict[str, Any]:
    """A list for each property, as `/v1/completions` has it.

    Args:
        probabilities: of successive tokens.
        offset: where the first one begins in the text, in characters.
    """
    offsets = []
    for one in probabilities:
        offsets.append(offset)
        offset += len(_text(one.piece))
    return {
        "tokens": [_text(one.piece) for one in probabilities],
        "token_logprobs": [_finite(one.logprob) for one in probabilities],
        "top_logprobs": [
            {_text(piece): _finite(logprob) for _, piece, logprob in one.alternatives}
            for one in probabilities
        ],
        "text_offset": offsets,
        # llama-server's, so that a client of either finds its own.
        "content": entries(probabilities),
    }


def _entry(token: int, piece: bytes, logprob: float) -> dict[str, Any]:
    return {
        "id": token,
        "token": _text(piece),
        "bytes": list(piece),
        "logprob": _finite(logprob),
    }


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")


def _finite(logprob: float) -> float:
    return max(_LOWEST, logprob)
