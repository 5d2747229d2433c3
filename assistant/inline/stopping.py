"""Where a completion is over, told as soon as it is there: the rest need not be generated."""

from __future__ import annotations

from assistant.inline.lines import begins_class, begins_function, columns, opens_block, unfinished
from assistant.inline.place import Place
from assistant.inline.request import Request, Shape

MOST_LINES = 24
_MOST_OF_GAP = 64
_SURE = 3
"""So many lines that are the next ones of the file are no chance: the gap is filled."""
_MOST_BLANK = 2
"""Blank lines that a completion may begin with."""
_CLOSERS = (")", "]", "}", "end")


def end_of(raw: str, request: Request, place: Place) -> int | None:
    """How much of what a model said so far belongs to the completion; None: that is not sure yet.

    More text never changes an answer that was given.

    Args:
        raw: what the model said, with lines that end in `\\n`.
        request: what it was asked.
        place: the cursor.
    """
    if request.shape is Shape.LINE:
        end = raw.find("\n")
        return None if end < 0 else end
    lines = raw.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None or first > _MOST_BLANK:
        return 0 if len(lines) > _MOST_BLANK + 1 else None
    current = "" if place.blank else place.before
    lines[0] = current + lines[0]
    last = _last(lines, first, request, place)
    if last is None:
        return None
    return len("\n".join(lines[: last + 1])) - len(current)


def _last(lines: list[str], first: int, request: Request, place: Place) -> int | None:
    """The number of the last line that belongs to it, once the line behind is complete."""
    language = place.language
    if request.shape is Shape.GAP:
        return _gap(lines, first, place)
    if request.shape is Shape.BLOCK:
        opener = place.line_above() if place.blank else place.before
        return _block(lines, 0, columns(opener))
    # A bracket may have been opened in front of the cursor.
    begin = 0 if lines[0].strip() else first
    statement = first
    while unfinished("\n".join(lines[begin : statement + 1]), language):
        statement += 1
        if statement >= min(len(lines), MOST_LINES):
            return None if statement < MOST_LINES else first
    if statement + 1 >= len(lines):
        return None
    if opens_block(lines[statement], language):
        return _block(lines, statement + 1, columns(lines[first]))
    return statement


def _gap(lines: list[str], first: int, place: Place) -> int | None:
    """The last line in front of those that stand below already, or of the function around it."""
    last = _block(lines, first, _around(lines[first], place), _MOST_OF_GAP)
    begun = _repeats(lines[: -1 if last is None else last + 1], place.lines_below())
    return last if begun is None else max(begun - 1, 0)


def _around(line: str, place: Place) -> int:
    """How far the function is indented that a line is in, the outermost; -1: it is in none."""
    limit, found = columns(line), -1
    for above in place.lines_above() if limit else ():
        if columns(above) < limit:
            limit = columns(above)
            if begins_class(above):
                break
            found = limit if begins_function(above) else found
    return found


def _repeats(lines: list[str], below: list[str]) -> int | None:
    """From which of the complete lines on they are surely those below."""
    following = [line.rstrip() for line in below[:_SURE]]
    said = [(number, line.rstrip()) for number, line in enumerate(lines) if line.strip()]
    for start in range(len(said) - _SURE + 1):
        if [line for _, line in said[start : start + _SURE]] == following:
            return said[start][0]
    return None


def _block(lines: list[str], start: int, base: int, most: int = MOST_LINES) -> int | None:
    """The last line that is indented more than `base`, blank lines behind it not counted."""
    last = max(start - 1, 0)
    blank = 0
    for number in range(start, len(lines)):
        line = lines[number]
        complete = number + 1 < len(lines)
        if not line.strip():
            blank += complete
            if blank > 1:
                return last
            continue
        if number and columns(line) < base:
            return last
        if number and columns(line) == base:
            begun = line.strip()
            if begun.startswith(_CLOSERS):
                return number if complete else None
            if complete or not any(closer.startswith(begun) for closer in _CLOSERS):
                return last
        if not complete:
            return None
        last, blank = number, 0
        if number - start + 1 >= most:
            return last
    return None
