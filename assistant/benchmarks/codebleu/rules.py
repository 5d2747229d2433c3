"""Which rules the scores follow: the right ones, or those of codebleu 0.7.0."""

from __future__ import annotations

import dataclasses
import enum


class Strip(enum.Enum):
    """How comments and docstrings are dropped."""

    TREE = "on the parse tree"
    TOKENS = "by joining tokens (D9, D12, D13)"
    NONE = "not at all"


class Order(enum.Enum):
    """In what order the sources of a token are united."""

    READING = "as they are read"
    HASH = "as a set gives them (D4)"


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """Every choice in which codebleu 0.7.0 differs from what is right, one field each.

    Attributes:
        name: shown with the result.
        strip: how comments and docstrings are dropped.
        order: of the sources of one token.
        unparsable_is_zero: a prediction that Python can not parse scores 0; otherwise whatever
            tree-sitter's error nodes give.
        empty_is_undefined: a reference without data flow has no data-flow score; otherwise 0 (D8).
        own_tokens: texts, marks and line ends of tokens as they are; otherwise as
            `compat.numbering` has them.
        failures_count: an extraction that fails is counted; otherwise it is an empty graph.
    """

    name: str
    strip: Strip = Strip.TREE
    order: Order = Order.READING
    unparsable_is_zero: bool = True
    empty_is_undefined: bool = True
    own_tokens: bool = True
    failures_count: bool = True


STANDARD = Rules("standard")
"""What codebleu.md, section 5, asks for."""

CODEBLEU_070 = Rules(
    "codebleu 0.7.0",
    strip=Strip.TOKENS,
    order=Order.HASH,
    unparsable_is_zero=False,
    empty_is_undefined=False,
    own_tokens=False,
    failures_count=False,
)
"""codebleu 0.7.0 on the grammar installed here: its syntax match exactly; its data-flow match
exactly under the same PYTHONHASHSEED, and up to D4 otherwise. Not taken over: its time, which
doubles with each level of loops, and its empty graph where Python's recursion limit is hit."""
