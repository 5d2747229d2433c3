"""Does a file that parsed still parse with a suggestion in it? It is parsed, never run."""

from __future__ import annotations

import ast
import functools
import re
import warnings

from assistant.inline.lines import indentation, opens_block
from assistant.inline.place import LINE_END, Place
from assistant.inline.suggestion import Suggestion, applied

MOST_CHARACTERS = 16_000
"""A longer file is looked at from one definition at its left margin to another."""
_LONGEST = 100_000
"""Beyond it nobody waits until the whole is parsed: at each key that takes 20 ms."""
_LONGEST_OTHER = 400_000
"""The same of other languages, whose grammars are quicker."""
_TOP = re.compile(r"^(?:(?:async def|def|class|import|from|if|for|while|try|with)\b|@)", re.M)


def breaks(place: Place, suggestion: Suggestion) -> bool:
    """Whether the suggestion would break what is not broken.

    A line that is being written does not parse; then the file without it is what has to go on
    parsing, with the line as the suggestion completes it.
    """
    if place.language != "python":
        return _breaks_other(place, suggestion)
    start, end = _part(place)
    if not _breaks_part(place, suggestion, start, end):
        return False
    whole = (0, len(place.text))
    # A part may begin inside of a text of several lines: only the whole file is sure.
    return (
        (start, end) == whole
        or len(place.text) > _LONGEST
        or _breaks_part(place, suggestion, *whole)
    )


def _breaks_part(place: Place, suggestion: Suggestion, start: int, end: int) -> bool:
    head, tail = place.text[start : suggestion.start], place.text[suggestion.end : end]
    if parses(head + suggestion.text + tail):
        return False
    if parses(place.text[start:end]):
        return True
    rest = place.text[place.line_end : end]
    without = place.text[start : place.line_start] + indentation(place.before) + "pass" + rest
    return parses(without) and not opens_block(_last_line(place, suggestion), "python")


def _last_line(place: Place, suggestion: Suggestion) -> str:
    """The last line of the suggestion, with all that stands in that line of the file."""
    lines = LINE_END.split(suggestion.text)
    lines[0] = place.text[place.line_start : suggestion.start] + lines[0]
    return lines[-1] + place.text[suggestion.end : place.line_end]


def _part(place: Place) -> tuple[int, int]:
    """What to parse: the file, or of a long one the definitions around the cursor."""
    text = place.text
    if len(text) <= MOST_CHARACTERS:
        return 0, len(text)
    low = max(0, place.line_start - MOST_CHARACTERS // 2)
    high = min(len(text), place.line_end + MOST_CHARACTERS // 2)
    # The first character that is looked at need not be one that begins a line.
    starts = [found.start() for found in _TOP.finditer(text, low + 1, place.line_start)]
    ends = [found.start() for found in _TOP.finditer(text, place.line_end, high)]
    start = 0 if low == 0 else starts[0] if starts else low
    return start, len(text) if high == len(text) else ends[-1] if ends else high


@functools.lru_cache(maxsize=16)
def parses(code: str) -> bool:
    """Whether `code` is a Python module, as far as its grammar goes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _breaks_other(place: Place, suggestion: Suggestion) -> bool:
    """By the language's grammar where one is installed; without one nothing speaks against it."""
    from assistant.checks.languages import examine_other
    from assistant.outcomes import Outcome

    if len(place.text) > _LONGEST_OTHER:
        return False
    with_it = examine_other(applied(place.text, suggestion), place.language)
    if with_it.outcome is not Outcome.ERROR:
        return False
    return examine_other(place.text, place.language).outcome is Outcome.PARSED
