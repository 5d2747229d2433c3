"""The cleaning on public data: what a person wrote is never refused."""

from __future__ import annotations

import random

import pytest

from assistant.inline import Nothing, Place, Suggestion, request_for
from assistant.inline.cleaning import clean
from assistant.inline.stopping import end_of
from assistant.inline.suggestion import applied
from tests.bench.infilling import filters
from tests.support.infilling import gaps, published


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


@pytest.mark.parametrize(
    ("kind", "block", "count"),
    [("SingleLine", False, 100), ("SingleLine", True, 50), ("MultiLine", True, 200)],
)
def test_what_stands_below_is_not_shown_again(kind: str, block: bool, count: int) -> None:
    """The missing part and the next 1 to 5 lines of the file: what is shown is the part."""
    score = filters(kind, gaps(kind, count), block=block, run=False)

    bare_ones = score.restored + score.only_space
    assert score.count == 5 * count
    assert bare_ones >= 0.995 * score.count, score.failing


def test_while_typing_no_more_than_the_beginning_of_it_is_shown() -> None:
    """Of several lines that are missing a statement; never what is not missing."""
    score = filters("MultiLine", gaps("MultiLine", 200), block=False, run=False)

    shown = score.count - score.refused.total()
    assert score.restored + score.only_space + score.beginning == shown > 0.95 * score.count


def test_a_nested_function_and_the_one_around_it() -> None:
    """By a key all up to what stands below, however far it is indented."""
    tasks = [gap for gap in gaps("MultiLine") if gap.task.split("/")[2] in ("6", "39")]
    score = filters("MultiLine", tasks, block=True, run=False)

    assert score.restored + score.only_space == score.count > 500
