"""What one line of a model's output is, or may still become while it grows.

Pure functions for the splitter. Those that begin with `may_be` and `without_tag_prefix` decide
what has to be held back until more of the line is there.
"""

from __future__ import annotations

import re

from assistant.format import dialects

_HELD = frozenset("#`~\t\r") | {tag[0] for tag in dialects.CLOSING_TAGS}
_START_MARKS = (*dialects.OPENING_TAGS, *dialects.HEADS)


def may_be_fence(line: str) -> bool:
    """Whether a growing line can be the fence that ends the code."""
    rest = re.sub(r"^ {0,3}(?:`+|~+)?[ \t\r]*", "", line)
    return not rest or (rest != line and any(tail.startswith(rest) for tail in dialects.TAILS))


def starts_plainly(line: str) -> bool:
    """Whether the first character that is no space can begin no heading, fence or tag."""
    text = line.lstrip(" ")
    return bool(text.strip()) and text[0] not in _HELD


def may_be_mark(text: str) -> bool:
    """Whether a line that begins so may open thinking, or begin with what wraps an answer."""
    return any(mark.startswith(text) or text.startswith(mark) for mark in _START_MARKS)


def without_heads(line: str) -> str:
    """`line` without what may stand before an answer."""
    text = line
    while (head := first_of(dialects.HEADS, text.lstrip())) is not None:
        text = text.lstrip()[len(head) :]
    return text if text is line else text.lstrip(" \t")


def first_of(marks: tuple[str, ...], text: str) -> str | None:
    """The first of `marks` that `text` begins with."""
    return next((mark for mark in marks if text.startswith(mark)), None)


def without_tail(line: str) -> str:
    """`line` without what may stand after an answer, and without its end then."""
    text = line.rstrip()
    for tail in dialects.TAILS:
        if text.endswith(tail):
            return text[: -len(tail)].rstrip()
    return line


def first_tag(line: str, tags: tuple[str, ...]) -> tuple[str, str] | None:
    """The texts before and after the first of `tags` in `line`."""
    found = [(line.index(tag), tag) for tag in tags if tag in line]
    if not found:
        return None
    position, tag = min(found)
    return line[:position], line[position + len(tag) :]


def tag_at_start(line: str, tags: tuple[str, ...]) -> tuple[str, str] | None:
    """As `first_tag`, for a tag that the line begins with."""
    text = line.lstrip(" ")
    tag = first_of(tags, text)
    return None if tag is None else ("", text[len(tag) :])


def without_tag_prefix(line: str, tags: tuple[str, ...]) -> str:
    """`line` up to the first place whose rest may still become one of `tags`."""
    if not tags:
        return line
    # Asked again for each piece of a line, which may be a megabyte: nothing here copies its rest.
    starts = "".join(sorted({tag[0] for tag in tags}))
    longest = max(map(len, tags))
    for found in re.finditer(f"[{re.escape(starts)}]", line):
        rest = line[found.start() : found.start() + longest]
        if any(tag.startswith(rest) or rest.startswith(tag) for tag in tags):
            return line[: found.start()]
    return line
