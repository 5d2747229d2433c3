"""SentencePiece's kind of BPE, from the tokenizer.json that transformers made of it.

llama.cpp joins the two neighbours whose union has the best score. In the original file scores
fall with the order in which tokens were learned. tokenizer.json has no scores, but its merges are
in that order: the first merge that makes a token gives its rank, and the rank its score. Tokens
that nothing merges to (single characters) come behind, as they do in the original.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.errors import ExportProblem

SPACE = "\u2581"
"""Stands for a space."""
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def is_one(described: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.json is of this kind: bytes are tokens of their own."""
    model = described.get("model") or {}
    return model.get("type") == "BPE" and bool(model.get("byte_fallback"))


def is_byte(token: str) -> bool:
    """Whether a token stands for one byte."""
    return bool(_BYTE.fullmatch(token))


def scores(vocabulary: Mapping[str, int], merges: Sequence[str]) -> dict[str, float]:
    """The score of each token that is text: 0 for the first that was learned, then -1 each.

    Args:
        vocabulary: numbers by token.
        merges: pairs with a space between, the first first.
    """
    ordered = dict.fromkeys(merge.replace(" ", "") for merge in merges)
    by_number = sorted(vocabulary, key=vocabulary.__getitem__)
    ordered |= dict.fromkeys(token for token in by_number if not is_byte(token))
    return {token: -float(rank) for rank, token in enumerate(ordered)}


def has_space_in_front(described: Mapping[str, Any]) -> bool:
    """Whether a space is put in front of texts.

    Raises:
        ExportProblem: the tokenizer does something else to texts that llama.cpp does not.
    """
    normalizer, before = described.get("normalizer") or {}, described.get("pre_tokenizer") or {}
    steps = normalizer.get("normalizers") or ([normalizer] if normalizer else [])
    front, replaced = False, False
    for step in steps:
        kind = step.get("type")
        if kind == "Prepend" and step.get("prepend") == SPACE:
            front = True
        elif kind == "Replace" and step.get("content") == SPACE:
            replaced = (step.get("pattern") or {}).get("String") == " "
        else:
            raise ExportProblem(f"the tokenizer changes texts before it splits them: {step}")
    if before.get("type") == "Metaspace" and before.get("replacement") == SPACE:
        front = front or before.get("prepend_scheme", "always") != "never"
        replaced = replaced or not before.get("split", True)
    elif before:
        raise ExportProblem(f"the tokenizer splits texts in a way that has no name here: {before}")
    if not replaced or (described.get("model") or {}).get("ignore_merges"):
        raise ExportProblem(
            "the tokenizer joins bytes and pieces in a way that llama.cpp has not "
            f"(normalizer {normalizer}, pre_tokenizer {before})"
        )
    return front
