"""From what a model said to what may be shown."""

from __future__ import annotations

import re

from assistant.inline.lines import indentation
from assistant.inline.place import Place
from assistant.inline.repeating import without_lines_below, without_loop, without_rest
from assistant.inline.request import Request
from assistant.inline.stopping import end_of
from assistant.inline.suggestion import Nothing, Suggestion
from assistant.inline.syntax import breaks

_NO_TEXT = re.compile("[\0\ufffd]")
"""The second stands for bytes that are no text: the model lost its way."""


def clean(place: Place, request: Request, raw: str, *, ended: bool) -> Suggestion | Nothing:
    """The suggestion in what a model said.

    Args:
        place: the cursor.
        request: what was asked there.
        raw: what the model said.
        ended: the model came to an end by itself, so that its last line is whole.
    """
    raw = raw.replace("\r\n", "\n").replace("\r", "\n")
    if lost := _NO_TEXT.search(raw):
        raw, ended = raw[: lost.start()], False
    end = end_of(raw, request, place)
    if end is None:
        end = len(raw) if ended else raw.rfind("\n")
        if end < 0:
            return Nothing("the line did not come to an end")
    said = raw[:end].rstrip("\n") if place.after.strip() else raw[:end].rstrip()
    if not said.strip():
        return Nothing("the model adds nothing here")
    lines = _without_repeats(place, said)
    if not lines:
        return Nothing("what the model says stands there already")
    suggestion = _placed(place, request, "\n".join(lines))
    if not suggestion.text.strip():
        return Nothing("what the model says stands there already")
    if breaks(place, suggestion):
        return Nothing("the file would not parse any more")
    return suggestion


def _without_repeats(place: Place, said: str) -> list[str]:
    """The lines of `said` that are new; the first without what stands in front of the cursor."""
    lines = said.split("\n")
    current = "" if place.blank else place.before
    if len(lines) == 1 and place.after.strip():
        lines = [without_rest(place.before, said, place.after, place.language)]
        whole = [current + lines[0] + place.after]
    else:
        whole = [current + lines[0], *lines[1:]]
    kept = without_loop(without_lines_below(whole, place.lines_below()))
    if len(kept) == 1 and place.blank and kept[0].rstrip() == place.line_above().rstrip() != "":
        return []
    return lines[: len(kept)]


def _placed(place: Place, request: Request, said: str) -> Suggestion:
    """Where it goes: at the cursor, or over the white space in front of it."""
    text = said.rstrip() if not place.after.strip() else said
    text = text.replace("\n", place.ending)
    if not place.blank:
        return Suggestion(place.offset, place.offset, text)
    dropped = request.dropped
    if text.startswith(dropped) or indentation(text).startswith(dropped):
        return Suggestion(place.offset, place.line_end, text[len(dropped) :])
    return Suggestion(place.line_start, place.line_end, text)
