"""A cursor in a file: lines as editors have them, columns in characters."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import UsageProblem
from assistant.inline import Place, place_at
from assistant.inline.naming import names_of

texts = st.text(alphabet="ab \t\r\n\f\u2028é👩", max_size=40)


def lines_of(text: str) -> list[tuple[int, int]]:
    """Start and end of each line, by the rule written out once more."""
    spans, start = [], 0
    for found in re.finditer(r"\r\n|[\r\n]", text):
        spans.append((start, found.start()))
        start = found.end()
    return [*spans, (start, len(text))]


@given(text=texts, offset=st.integers(-3, 45))
def test_the_line_of_a_cursor(text: str, offset: int) -> None:
    place = Place(text, offset)

    assert 0 <= place.offset <= len(text)
    assert (place.line_start, place.line_end) in lines_of(text)
    assert place.line_start <= place.offset <= place.line_end
    assert place.before + place.after == text[place.line_start : place.line_end]


@given(text=texts, data=st.data())
def test_line_and_column_lead_to_the_offset(text: str, data: st.DataObject) -> None:
    number, (start, end) = data.draw(st.sampled_from(list(enumerate(lines_of(text), 1))))
    column = data.draw(st.integers(1, end - start + 1))

    assert place_at(text, number, column) == start + column - 1


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        (4, 1, "no line 4: the file has 3"),
        (99, 1, "no line 99"),
        (0, 1, "no column 1 in line 0"),
        (1, 0, "no column 0 in line 1"),
        (1, 4, "the last place in it is 3"),
        (3, 2, "the last place in it is 1"),
    ],
)
def test_a_place_that_is_not_in_the_file(line: int, column: int, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        place_at("é👩\r\nb\n", line, column)


def test_lines_around() -> None:
    text = "a\r\n\r\n  \r\nhere\r\n\r\nb\r\nc"
    place = Place(text, text.index("here") + 2)

    assert place.line_above() == "a"
    assert place.lines_below() == ["b", "c"]
    assert place.ending == "\r\n"


def test_a_file_is_named_from_its_repository(tmp_path) -> None:
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    (tmp_path / "shop" / "part").mkdir()
    (tmp_path / "shop" / "part" / "pyproject.toml").touch()

    assert names_of(tmp_path / "shop" / "part" / "a.py") == ("shop", "part/a.py")
