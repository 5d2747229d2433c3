"""Token healing: a prompt that ends in the middle of a word goes on as if it did not.

The model has learned `return` as one token and hardly ever saw `ret` followed by `urn`. So the
end of such a prompt is taken off, and what is generated has to begin with the bytes of it; they
are not given out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.engine.pieces import ByteTable

if TYPE_CHECKING:
    from assistant.engine.rows import Ids

_MOST_TOKENS = 3
"""Tokens that are taken off at most; a longer word would have been one token before."""


def cut(table: ByteTable, tokens: Sequence[int]) -> tuple[list[int], bytes]:
    """Take the end off a prompt that may be the beginning of a longer token.

    Args:
        table: of the model.
        tokens: the prompt; at least one stays, and no control token is taken off.

    Returns:
        The tokens that stay, and the bytes of the others (`Prepared.healed`), empty if no token
        of the vocabulary reaches beyond the end.
    """
    taken, best, count = b"", b"", 0
    for number in range(1, min(_MOST_TOKENS, len(tokens) - 1) + 1):
        piece = table.of_token[tokens[-number]]
        if not piece:
            break
        taken = piece + taken
        first, last = table.range_of(taken)
        # The last of the sorted ones is the longest or differs: equal bytes sort first.
        if last > first and table.pieces[last - 1] != taken:
            best, count = taken, number
    return list(tokens[: len(tokens) - count]), best


class Healing:
    """What has still to be generated of the bytes that were taken off.

    Args:
        table: of the model.
        remaining: the bytes (`Prepared.healed`).
    """

    def __init__(self, table: ByteTable, remaining: bytes) -> None:
        self._table = table
        # A vocabulary without single bytes may be unable to spell them; then nothing is asked.
        self.remaining = remaining if table.can_spell(remaining) else b""

    def allowed(self) -> Ids:
        """The tokens that may come next; never none as long as something remains."""
        return self._table.spelling(self.remaining)

    def allows(self, token: int) -> bool:
        """May `token` come next?"""
        piece, rest = self._table.of_token[token], self.remaining
        if piece.startswith(rest):
            return True
        return bool(piece) and rest.startswith(piece) and self._table.can_spell(rest[len(piece) :])

    def take(self, token: int) -> int:
        """Go on with `token`; return how many of its bytes are in the prompt already.

        A token that does not fit (a forced text) ends the healing, and all of it is new.
        """
        piece, rest = self._table.of_token[token], self.remaining
        if piece.startswith(rest):
            self.remaining = b""
            return len(rest)
        if piece and rest.startswith(piece):
            self.remaining = rest[len(piece) :]
            return len(piece)
        self.remaining = b""
        return 0
