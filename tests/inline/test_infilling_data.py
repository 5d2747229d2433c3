"""The cleaning on public data: what a person wrote is never refused."""

from __future__ import annotations

import random

from assistant.inline import Nothing, Place, Suggestion, request_for
from assistant.inline.cleaning import clean
from assistant.inline.stopping import end_of
from assistant.inline.suggestion import applied
from tests.support.infilling import published


def bare(text: str) -> list[str]:
    """Without white space at the ends of lines: some lines of the data have it."""
    return [line.rstrip() for line in text.split("\n")]


def test_a_line_as_it_was_is_shown_as_it_was() -> None:
    """All 1,033 lines, the model saying the rest of the line and going on with the file."""
    lost = []
    holes = published()
    for hole in holes:
        place = Place(hole.text, hole.offset)
        request = request_for(place)
        if isinstance(request, Nothing):
            continue
        found = clean(place, request, hole.rest, ended=True)
        if not isinstance(found, Suggestion):
            lost.append((hole, found.reason))
        else:
            assert bare(applied(hole.text, found)) == bare(hole.whole)

    assert len(holes) > 1000
    # A line that is the same as the one below it is taken for a repetition.
    assert {reason for _, reason in lost} <= {"what the model says stands there already"}
    assert len(lost) < len(holes) / 100


def test_the_end_is_found_while_the_text_comes() -> None:
    """The rest of the line and all that follows it, in pieces: what is kept begins with the line,
    and is the same however it was cut."""
    rng = random.Random(1)
    for hole in published(200):
        place = Place(hole.text, hole.offset)
        request = request_for(place)
        if isinstance(request, Nothing):
            continue
        raw = hole.rest + hole.below + "\n\n"
        ends = [
            end_of(raw[:cut], request, place) for cut in sorted(rng.choices(range(len(raw)), k=20))
        ]
        known = {end for end in ends if end is not None} | {end_of(raw, request, place)}

        assert len(known) == 1
        assert raw[: known.pop() or 0].startswith(hole.rest.rstrip())
