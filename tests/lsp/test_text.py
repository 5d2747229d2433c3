"""Lines, offsets and positions; test_text_fuzz.py has them after any edits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp.lines import BLOCK
from lsp.text import ENCODINGS, Encoding, Place, Text, units
from tests.support.unit_text import UnitText

# What breaks line models and column counts: every separator that Python splits at and the protocol
# does not, both line ending characters alone and together, and 1 to 4 byte characters.
ALPHABET = "ab\n\r\t\x0b\x0c\x1c\x1e\x85\u2028\u2029é€😀🧑‍🚀"

texts = st.lists(st.sampled_from([*ALPHABET, "\r\n"]), max_size=30).map("".join)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(value=texts)
@settings(max_examples=150, deadline=None)
def test_positions_and_offsets_agree(encoding: Encoding, value: str) -> None:
    """Each place a cursor can stand at converts to its offset and back."""
    text = Text(value)

    editor = UnitText.of(value, encoding)
    for place in editor.begins():
        offset = text.offset(Place(*place), encoding)
        assert editor.encoded(value[:offset]) == editor.units[: editor.index(*place)]
        assert text.place(offset, encoding) == place


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(0, 99), 3),  # past the line: its end, before the line ending
        (Place(1, 99), 6),  # past the last line's end, where pygls lands one short
        (Place(9, 0), 6),  # past the last line
        (Place(-1, 5), 0),
        (Place(1, -1), 4),
    ],
)
def test_a_position_outside_the_text_means_the_nearest_inside(place: Place, expected: int) -> None:
    assert Text("abc\nde").offset(place, "utf-16") == expected


def test_a_position_inside_an_emoji_means_its_beginning() -> None:
    assert Text("a😀b").offset(Place(0, 2), "utf-16") == 1
    assert Text("a😀b").offset(Place(0, 4), "utf-8") == 1


def test_half_a_surrogate_pair_is_counted_and_does_not_raise() -> None:
    """JSON can carry one (`"\\ud83d"`); editors that think in UTF-16 do send it."""
    broken = "x\ud83dy"

    assert [units(broken, encoding) for encoding in ENCODINGS] == [5, 3, 3]
    assert Text(broken).offset(Place(0, 3), "utf-16") == 3


def test_line_end_is_that_of_the_first_line() -> None:
    assert Text("a\r\nb\n").line_end == "\r\n"
    assert Text("a\rb").line_end == "\r"
    assert Text("a").line_end == "\n"


def test_many_lines_are_found_after_edits_among_them() -> None:
    """Blocks of lines grow, shrink, vanish and are split."""
    text = Text("x\r\n" * (3 * BLOCK))
    for start, end, new in (
        (300, 301, "\n" * (2 * BLOCK)),
        (9, 4 * BLOCK, ""),
        (0, 2, "y"),
        (4, BLOCK, "\r"),
    ):
        text = text.replace(start, end, new)
        fresh = Text(text.value).line_starts
        assert list(text.line_starts) == list(fresh)
        assert [text.line_of(offset) for offset in fresh] == list(range(len(fresh)))


def test_lines_outside_of_the_text_are_an_index_error() -> None:
    for line in (-1, 2):
        with pytest.raises(IndexError):
            Text("a\nb").line_starts[line]
