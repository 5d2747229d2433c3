"""How many tokens there are for context, who counts them, and what has to stay out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from assistant.context.types import Context, Found, LeftOut, Piece

if TYPE_CHECKING:
    from assistant.client import ModelInfo

MOST_TOKENS = 2048
SMALLEST_LENGTH = 4096
"""A model with less sees the request alone."""
UNKNOWN = 1024
"""Tokens for a model that does not tell its context length; most have room for this."""
NO_ROOM = "no room"
SHORTENED = "shortened"
_SHARE = 4
_CHARACTERS = 3
"""Of a token, where nobody counts: less than code has, so that the estimate is rather too high."""
MARGIN = 256
"""Tokens of the chat template and of the instruction that goes with a request."""
_FENCE = 8
"""Tokens around a piece: its fence, and the words before its name."""


@runtime_checkable
class Counting(Protocol):
    """A connection that may know how many tokens a text has."""

    async def count_tokens(self, texts: Sequence[str]) -> list[int] | None:
        """Of each text; None where the server does not tell."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many tokens each of some texts has, and who says so."""

    tokens: tuple[int, ...]
    by: str


ESTIMATE = f"an estimate of one token for {_CHARACTERS} characters"


def estimated(texts: Sequence[str]) -> Counted:
    """The same without a tokenizer."""
    return Counted(tuple(-(-len(text) // _CHARACTERS) for text in texts), ESTIMATE)


async def counted(connection: object, texts: Sequence[str]) -> Counted:
    """Counted by the model's own tokenizer where the connection reaches it."""
    if isinstance(connection, Counting):
        tokens = await connection.count_tokens(texts)
        if tokens is not None:
            return Counted(tuple(tokens), "the model's own tokenizer")
    return estimated(texts)


def budget_of(context_length: int | None, reserved: int = 0) -> int:
    """Tokens that context may take.

    Args:
        context_length: of the model; None when it does not tell.
        reserved: tokens of the request and of its answer.
    """
    if context_length is None:
        return UNKNOWN
    if context_length < SMALLEST_LENGTH:
        return 0
    return max(0, min(context_length // _SHARE, MOST_TOKENS, context_length - reserved))


async def fitted(
    found: Found, info: ModelInfo, connection: object, *, request: str = "", max_tokens: int = 0
) -> Context:
    """As much of what was found as the model has room for.

    Args:
        found: what there is, the most important last.
        info: the model.
        connection: where its tokens are counted.
        request: what is sent beside it, ...
        max_tokens: ... and the longest answer: both have to fit too.
    """
    texts = [request, *_texts(found)]
    reads = budget_of(info.context_length) > 0
    numbers = await counted(connection, texts) if reads and found.offers else estimated(texts)
    budget = budget_of(info.context_length, numbers.tokens[0] + max_tokens + MARGIN)
    return fit(found, _costs(found, numbers.tokens[1:]), budget, numbers.by)


def roughly_fitted(found: Found, budget: int) -> Context:
    """The same at once, by an estimate."""
    numbers = estimated(_texts(found))
    return fit(found, _costs(found, numbers.tokens), budget, numbers.by)


def _texts(found: Found) -> list[str]:
    """What has to be counted: each text with its heading."""
    return [f"{offer.name}\n{text}" for offer in found.offers for text in offer.texts]


def _costs(found: Found, tokens: Sequence[int]) -> list[list[int]]:
    """Tokens by offer and text."""
    left = iter(tokens)
    return [[next(left) + _FENCE for _ in offer.texts] for offer in found.offers]


def fit(found: Found, costs: Sequence[Sequence[int]], budget: int, by: str) -> Context:
    """Choose from the most important on; what finds no room is left out, and what is left, tried.

    Args:
        found: what there is, the most important last.
        costs: tokens of each text of each offer.
        budget: tokens for all of it.
        by: who counted.
    """
    pieces: list[Piece] = []
    left_out = list(found.left_out)
    left = budget
    for offer, tokens in reversed(list(zip(found.offers, costs, strict=True))):
        chosen = next((number for number, cost in enumerate(tokens) if cost <= left), None)
        if chosen is None:
            left_out.append(LeftOut(offer.name, NO_ROOM, offer.why))
            continue
        left -= tokens[chosen]
        why = offer.why if chosen == 0 else f"{offer.why}, {SHORTENED}"
        # Halves of surrogate pairs, which an editor's text may hold, can not be sent.
        text = offer.texts[chosen].encode("utf-8", "replace").decode()
        pieces.append(Piece(offer.name, text, why, tokens[chosen]))
    ordered = tuple(_joined(list(reversed(pieces))))
    unique = tuple(dict.fromkeys(left_out))
    return Context(ordered, unique, budget, by)


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Neighbours of one file and reason become one piece."""
    joined = []
    for _, same in groupby(pieces, key=lambda piece: (piece.name, piece.why)):
        several = list(same)
        text = "\n\n".join(piece.text for piece in several)
        tokens = sum(piece.tokens for piece in several) - _FENCE * (len(several) - 1)
        joined.append(replace(several[0], text=text, tokens=tokens))
    return joined
