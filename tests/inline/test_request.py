"""What is asked: the text around the cursor, parted so that typing changes little of it."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assistant.inline import Nothing, Place, Request, request_for
from assistant.inline.request import ANCHOR_CHARACTERS, PREFIX_CHARACTERS, Shape

SOURCE = Path(ast.__file__).read_text("utf-8")
codes = st.lists(st.text(alphabet="ab(:) \t\r\né", max_size=30), max_size=30).map("\n".join)


def asked(text: str, offset: int | None = None, **more: str) -> Request:
    """Of a text with its cursor as a bar."""
    at = text.index("|") if offset is None else offset
    request = request_for(Place(text.replace("|", "", 1) if offset is None else text, at, **more))
    assert isinstance(request, Request)
    return request


@given(text=codes, offset=st.integers(0, 900))
@example(text="", offset=0)
@example(text="\r\n", offset=1)
def test_nothing_of_the_text_is_lost(text: str, offset: int) -> None:
    place = Place(text, offset)
    request = request_for(place)
    if isinstance(request, Nothing):
        assert place.before and place.after
        return

    around = request.prefix + request.typed + request.dropped + request.suffix
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    if place.blank:
        # White space behind the cursor of a blank line is replaced as well.
        plain = (text[: place.offset] + text[place.line_end :]).replace("\r\n", "\n")
        plain = plain.replace("\r", "\n")
    assert around == plain


def test_a_long_file_is_sent_in_part() -> None:
    text = SOURCE * 20
    place = Place(text, len(text) // 2)
    request = asked(text, place.line_start)

    assert len(request.prefix + request.typed) <= PREFIX_CHARACTERS + 2 * ANCHOR_CHARACTERS
    assert text[: place.line_start].endswith(request.prefix + request.typed)
    assert request.prefix.startswith(tuple(line + "\n" for line in SOURCE.split("\n")))


@given(st.integers(0, len(SOURCE) - 400))
def test_typing_leaves_prefix_and_suffix_alone(at: int) -> None:
    """200 characters, one by one, new lines included: the anchor moves once in a while."""
    seen = []
    for end in range(at, at + 200):
        request = request_for(Place(SOURCE[:end] + "\n" + SOURCE[at + 200 :], end))
        if isinstance(request, Request):
            seen.append((request.prefix, request.suffix))
    moves = sum(one != other for one, other in itertools.pairwise(seen))

    assert moves <= 1


def test_the_anchor_is_not_far() -> None:
    """What is behind it is read again for each letter."""
    for offset in range(0, len(SOURCE), 997):
        request = request_for(Place(SOURCE, offset))
        if isinstance(request, Request):
            assert len(request.typed) < 3 * ANCHOR_CHARACTERS


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("x = |", Shape.STATEMENT),
        ("x = |  \n", Shape.STATEMENT),
        ("x = (|)", Shape.LINE),
        ("def f(a):|\n", Shape.BLOCK),
        ("def f(a):  # why: because|\n", Shape.BLOCK),
        ("def f(a):\n    |\n", Shape.BLOCK),
        ("def f(a):\n\n|\n", Shape.BLOCK),
        ("x = {'a':|\n", Shape.STATEMENT),
        ("x = 'a:|\n", Shape.STATEMENT),
        ("# note:|\n", Shape.STATEMENT),
        ("x = 1\n|\ny = 2\n", Shape.STATEMENT),
    ],
)
def test_how_much_is_asked_for(text: str, shape: Shape) -> None:
    assert asked(text).shape is shape


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("fn main() {|\n", "rust"),
        ("const f = (x) =>|", "javascript"),
        ("if true; then|", "shell"),
        ("items.each do|", "ruby"),
    ],
)
def test_blocks_of_other_languages(text: str, language: str) -> None:
    assert asked(text, language=language).shape is Shape.BLOCK


def test_a_blank_line_is_asked_from_its_beginning() -> None:
    """The model says how far it is indented."""
    request = asked("def f():\n        |  \n\nx = 1\n")

    assert (request.typed, request.dropped) == ("def f():\n", "        ")
    assert request.suffix == "\n\nx = 1\n"


@pytest.mark.parametrize("text", ["fo|o = 1", "x = value|s", "a_|1", "foo1|bar", "x = 1|0"])
def test_inside_of_a_word_nothing_is_asked(text: str) -> None:
    place = Place(text.replace("|", ""), text.index("|"))

    assert request_for(place) == Nothing("the cursor is inside of a word")
    assert isinstance(request_for(Place("return x", 7)), Request)
