"""A completion is over where a person would say so, and as soon as that is certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.inline import Place, Request, request_for
from assistant.inline.stopping import end_of

words = ["\n", "\n", " ", "    ", "x", "if a:", "(", ")", "{", "}", "end", "e", "#", '"', "else:"]
said = st.lists(st.sampled_from(words), max_size=40).map("".join)
places = ["x = |", "def f():|\n", "def f():\n    |\n", "|", "f(|\n", "    |\n    y\n", "x(|)"]


def ask(text: str, language: str = "python", *, block: bool = False) -> tuple[Place, Request]:
    place = Place(text.replace("|", "", 1), text.index("|"), language)
    request = request_for(place, block=block)
    assert isinstance(request, Request)
    return place, request


@given(raw=said, where=st.sampled_from(places), block=st.booleans(), data=st.data())
def test_more_text_does_not_change_an_end(
    raw: str, where: str, block: bool, data: st.DataObject
) -> None:
    """However the text is cut on its way, the completion is the same."""
    place, request = ask(where, data.draw(st.sampled_from(["python", "rust", "ruby"])), block=block)
    cut = data.draw(st.integers(0, len(raw)))
    early = end_of(raw[:cut], request, place)

    if early is not None:
        assert early <= cut
        assert end_of(raw, request, place) == early


@pytest.mark.parametrize(
    ("where", "raw", "kept"),
    [
        # The rest of the line.
        ("x = (|)", "1 + 2\n3", "1 + 2"),
        ("x = |", "1\ny = 2\n", "1"),
        ("x = |", "f(\n    1,\n)\ny", "f(\n    1,\n)"),
        ("x = f(|\n", "1,\n  2)\ny", "1,\n  2)"),
        ("x = f(|\n", "\n    1,\n)\ny", "\n    1,\n)"),
        ("x = 1|\n", "\ny = 2\nz", "\ny = 2"),
        ("x = |", "'a(b'\ny", "'a(b'"),
        ("x = |", "1  # (\ny", "1  # ("),
        ("x = |", "a + \\\n  b\ny", "a + \\\n  b"),
        # A line that begins a block brings it along.
        ("|", "for a in b:\n    c\n    d\ne\n", "for a in b:\n    c\n    d"),
        ("    |\n", "    for a in b:\n        c\n    e\n", "    for a in b:\n        c"),
        # As long as it is indented more.
        ("def f():|\n", "\n    a\n\n    b\nc", "\n    a\n\n    b"),
        ("def f():\n    |\n", "    a\n    b\nc", "    a\n    b"),
        ("def f():\n|\n", "    if a:\n        b\n    c\n\n\nd", "    if a:\n        b\n    c"),
        ("if a:|\n", "\n    b\nelse:\n    c", "\n    b"),
        ("|", "\n\n\n\n", ""),
        ("x = |", "\n\n\ny\nz", ""),
    ],
)
def test_ends(where: str, raw: str, kept: str) -> None:
    place, request = ask(where)
    end = end_of(raw, request, place)

    assert end is not None
    assert raw[:end] == kept


@pytest.mark.parametrize(
    ("where", "raw"),
    [
        ("x = |", "1"),
        ("x = |", "f(\n1,\n"),
        ("def f():|\n", "\n    a\n"),
        ("def f():|\n", "\n    a\n "),
        ("|", "for a in b:\n"),
        ("|", "\n"),
    ],
)
def test_what_may_go_on_has_no_end(where: str, raw: str) -> None:
    place, request = ask(where)

    assert end_of(raw, request, place) is None


def test_braces_close_the_block() -> None:
    place, request = ask("fn f() {|\n", "rust")
    raw = "\n    a;\n}\n\nfn g"

    assert raw[: end_of(raw, request, place)] == "\n    a;\n}"


@pytest.mark.parametrize(
    ("where", "raw", "kept"),
    [
        # To the end of the function, the outermost, but no further.
        ("def f():\n    |\n", "    a\n\n    b\ndef g():\n", "    a\n\n    b"),
        ("def f():\n    if a:\n        |\n", "        b\n    c\nd\n", "        b\n    c"),
        ("def f():\n    def g():\n        |\n", "        b\n    c\nd\n", "        b\n    c"),
        ("class A:\n    def f():\n        |\n", "        b\n    def g():\n", "        b"),
        ("fn f() {\n    |\n", "    a;\n}\nfn g", "    a;\n}"),
        ("x = |\n", "1\ny = 2\n\n\nz", "1\ny = 2"),
        # In no function: what is indented less belongs to it as well.
        ("if a:\n    |\n", "    b\nc\n\n\nd", "    b\nc"),
        # To what stands below, once three lines of it are said.
        ("|\nb\nc\nd\n", "a\nb\nc\nd\n", "a"),
        ("|\nb\n\nc\nd\n", "a\nb\nb\nc\n\nd\n", "a\nb"),
    ],
)
def test_by_a_key_the_whole_gap_is_filled(where: str, raw: str, kept: str) -> None:
    place, request = ask(where, block=True)

    assert raw[: end_of(raw, request, place)] == kept


@pytest.mark.parametrize("raw", ["a\nb\nc\n", "b\nc\n", "a\n    b\n"])
def test_two_lines_that_stand_below_may_be_chance(raw: str) -> None:
    place, request = ask("|\nb\nc\nd\n", block=True)

    assert end_of(raw, request, place) is None


def test_a_block_without_end_ends() -> None:
    place, request = ask("def f():|\n")

    assert end_of("\n    a" * 100, request, place) is not None
    assert end_of("x(\n" * 100, *reversed(ask("y = |"))) is not None
