"""Model text made safe to show, and cut to the width of a screen.

A model may emit anything: escape sequences that would repaint the terminal, bidirectional
controls that make code read otherwise than it runs, lone surrogates that can not be encoded.
What is shown goes through `displayable`; what is copied never does, so a copy is exact.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len


def _visible_controls() -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
    table[0x7F] = "\u2421"
    table |= dict.fromkeys(range(128, 160), "�")
    # Lone surrogates can not be written to a terminal in any encoding.
    table |= dict.fromkeys(range(55296, 57344), "�")
    # Some line splitters cut at these, others do not: shown, they can not move the line numbers.
    table |= {0x2028: "\u2424", 0x2029: "\u2424"}
    # "Trojan source": these reorder the text around them (CVE-2021-42574).
    bidirectional = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    table |= {code: f"<U+{code:04X}>" for code in bidirectional}
    return table


_VISIBLE = _visible_controls()


def displayable(text: str) -> str:
    """The text with every control character made visible; only newline and tab stay.

    Args:
        text: anything a model, an endpoint or a check has produced.

    Returns:
        Text that changes no terminal state; "\\r\\n" becomes "\\n".
    """
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def fold(line: str, width: int) -> Iterator[tuple[int, int]]:
    """Cut one line into rows of at most `width` cells, without dropping anything.

    Args:
        line: text without newlines or tabs.
        width: cells in a row, at least 2 (the widest character).

    Yields:
        Start and end offsets of each row; one empty row for an empty line.
    """
    if line.isascii():
        for start in range(0, max(len(line), 1), width):
            yield start, min(start + width, len(line))
        return
    start = 0
    for end in range(1, len(line) + 1):
        # The width of a row is not the sum of its characters' widths: a variation selector
        # widens the character before it, a joiner merges its neighbours.
        if cell_len(line[start:end]) > width and end - 1 > start:
            yield start, end - 1
            start = end - 1
    yield start, len(line)


def shorten(text: str, width: int) -> str:
    """The text in at most `width` cells, with an ellipsis where its end was cut off."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return text[:width]
    start, end = next(fold(text, width - 1))
    return text[start:end] + "\u2026"
