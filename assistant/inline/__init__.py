"""The completion at the cursor, without any protocol: text and offset in, a checked suggestion out.

    place.py       a cursor in a file: its line, its indentation, the lines around it
    request.py     what a model is asked for a place, and when not to ask at all
    lines.py       brackets, strings, indentation and the beginnings of blocks
    stopping.py    where a completion is over while it is still being written
    cleaning.py    from what a model said to what may be shown
    repeating.py   what a suggestion repeats of the text around it
    syntax.py      does a file that parsed still parse with it
    suggest.py     all of it, with a connection to a model
    several.py     up to three, to choose from
    remembered.py  suggestions that were made, and what typing leaves of them
    pacing.py      when to ask while somebody types

It never reasons, and nothing is executed: a suggestion is parsed in place, no more.
"""

from __future__ import annotations

from assistant.inline.place import Place, place_at
from assistant.inline.request import Request, request_for
from assistant.inline.suggest import Manner, Outcome, suggest
from assistant.inline.suggestion import Nothing, Suggestion

__all__ = [
    "Manner",
    "Nothing",
    "Outcome",
    "Place",
    "Request",
    "Suggestion",
    "place_at",
    "request_for",
    "suggest",
]
