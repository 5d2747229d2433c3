"""Exactly what was sent, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.context.budget import SMALLEST_LENGTH, Counted
from assistant.context.types import Context


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it went to a model."""

    messages: Sequence[Mapping[str, str]] = field(repr=False)
    counted: Counted
    """Of each message."""
    context: Context
    model: str
    context_length: int | None
    forced: str = ""
    """What the code of the answer was made to begin with."""


def explained(sent: Sent) -> str:
    """In words; every message is there to the letter."""
    return "\n".join(_lines(sent))


def as_json(sent: Sent) -> dict[str, Any]:
    """The same as an object of the `--json` stream."""
    context = sent.context
    messages = [
        {"role": one["role"], "content": one["content"], "tokens": tokens}
        for one, tokens in zip(sent.messages, sent.counted.tokens, strict=True)
    ]
    return {
        "type": "context",
        "model": sent.model,
        "context_length": sent.context_length,
        "messages": messages,
        "counted_by": sent.counted.by,
        "forced": sent.forced,
        "budget": context.budget,
        "pieces": [
            {"name": one.name, "why": one.why, "tokens": one.tokens, "text": one.text}
            for one in context.pieces
        ],
        "left_out": [
            {"name": one.name, "reason": one.reason, "why": one.why} for one in context.left_out
        ],
    }


def _lines(sent: Sent) -> Iterator[str]:
    length = f"{sent.context_length} tokens" if sent.context_length else "a length it does not tell"
    yield f"Sent to {sent.model}, whose context has {length}; counted by {sent.counted.by}:"
    for message, tokens in zip(sent.messages, sent.counted.tokens, strict=True):
        yield f"--- {message['role']}: {tokens} tokens"
        yield message["content"].rstrip("\n")
    yield "---"
    if sent.forced:
        yield f"The code of the answer is made to begin with: {sent.forced.rstrip()}"
    yield from _of_context(sent)


def _of_context(sent: Sent) -> Iterator[str]:
    context = sent.context
    yield _budget(sent)
    for piece in context.pieces:
        yield f"  {piece.name}: {piece.tokens} tokens, {piece.why}"
    if context.left_out:
        yield "Left out:"
    for one in context.left_out:
        yield f"  {one.name}: {one.reason}{f' ({one.why})' if one.why else ''}"


def _budget(sent: Sent) -> str:
    context = sent.context
    if sent.context_length is not None and sent.context_length < SMALLEST_LENGTH:
        return (
            f"Context: none. {sent.model} reads {sent.context_length} tokens at a time, fewer than "
            f"{SMALLEST_LENGTH}: it sees the request alone."
        )
    if not context.pieces:
        return "Context: none."
    return (
        f"Context: {context.tokens} of {context.budget} tokens, counted by {context.counted_by}, "
        "the most important last:"
    )
