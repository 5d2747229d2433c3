"""The part of a long text that a model gets to see, chosen so that typing does not move it.

A window that ends at the cursor and has a fixed length begins elsewhere after every character,
and a cache that holds the old window is of no use for the new one. So windows begin only at
marks: places that depend on the text in front of them and not on the cursor. The window shrinks
at its beginning a mark at a time, and stays where it is for all that is typed in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_USUAL = 4
"""Characters of a token of code, or a little less."""
_CHARACTERS = 16
"""As many for each token are looked at, and no more: white space has long tokens."""


def mark(text: str, number: int, grain: int) -> int:
    """The place number `number` at which a window may begin, one in each `grain` characters.

    It is the first beginning of a line there, or the first character where a line is longer.
    """
    start = number * grain
    if start <= 0:
        return 0
    # From one before: a line that begins right at the grain's first character counts.
    line = text.find("\n", start - 1, start + grain - 1)
    if line >= 0:
        return line + 1
    # Not between the two characters that end a line on Windows.
    return start + 1 if text[start - 1 : start + 1] == "\r\n" else start


def stable_start(text: str, most: int) -> int:
    """Where to begin, so that at most `most` characters are left: at least three quarters of them.

    Args:
        text: what precedes the cursor.
        most: characters of the window.
    """
    if len(text) <= most:
        return 0
    grain = max(1, most // 4)
    return min(len(text), mark(text, -(-(len(text) - most) // grain), grain))


def last_tokens(
    text: str, most: int, grain: int, tokenize: Callable[[str, bool], Sequence[int]]
) -> tuple[list[int], bool]:
    """The tokens of the end of `text`, at most `most`, beginning at a mark.

    Only about as much text is tokenised as fits. Marks that are far apart move seldom and waste
    much; where they would leave the window half empty, nearer ones are used.

    Args:
        text: what precedes the cursor.
        most: tokens.
        grain: characters from one mark to the next; it has to stay the same while one types.
        tokenize: gets a piece of the text, and whether it is the beginning of it.

    Returns:
        The tokens, and whether they are those of the whole text.
    """
    while True:
        tokens, whole, enough = _from_marks(text, most, grain, tokenize)
        if whole or enough or grain <= 1:
            return tokens, whole
        grain = max(1, grain // 4)


def _from_marks(
    text: str, most: int, grain: int, tokenize: Callable[[str, bool], Sequence[int]]
) -> tuple[list[int], bool, bool]:
    """Whole pieces between marks, from the last one back; whether all is taken, or enough."""
    pieces: list[Sequence[int]] = []
    count, end = 0, len(text)
    far = end - most * _CHARACTERS
    for number in range(end // grain, -1, -1):
        start = mark(text, number, grain)
        if start >= end:
            continue
        piece = tokenize(text[start:end], start == 0)
        if count + len(piece) > most:
            break
        pieces.append(piece)
        count, end = count + len(piece), start
        if end < far:
            break
    tokens = [token for piece in reversed(pieces) for token in piece]
    return tokens, end == 0, count * 2 >= most or end < far


def first_tokens(text: str, most: int, tokenize: Callable[[str], Sequence[int]]) -> list[int]:
    """The tokens of the beginning of `text`, at most `most`.

    Args:
        text: what follows the cursor.
        most: tokens.
        tokenize: text to tokens.
    """
    tokens: Sequence[int] = ()
    for characters in (_USUAL, _CHARACTERS):
        tokens = tokenize(text[: most * characters])
        if len(tokens) >= most or len(text) <= most * characters:
            break
    return list(tokens[:most])
