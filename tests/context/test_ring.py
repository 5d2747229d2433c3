"""Chunks of what was open or edited lately."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.context.outline import words
from assistant.context.ring import CHUNKS, LINES, Ring, lines_around, resemblance

HERE = Path("/p/a.py")


def chunk(number: int, more: str = "") -> str:
    """A text of words that no other number has."""
    return "\n".join(f"w{number}x{line} = v{number}y{line}" for line in range(10)) + more


def test_the_newest_are_kept_in_their_order() -> None:
    ring = Ring()
    for number in range(CHUNKS + 3):
        assert ring.add(HERE, chunk(number))
    assert [one.text for one in ring.chunks] == [chunk(n) for n in range(3, CHUNKS + 3)]


def test_a_new_chunk_takes_the_place_of_one_that_is_nearly_the_same() -> None:
    ring = Ring()
    for number in range(3):
        ring.add(HERE, chunk(number))
    assert ring.add(HERE, chunk(0, "\nnew = 1"))
    assert [one.text for one in ring.chunks] == [chunk(1), chunk(2), chunk(0, "\nnew = 1")]


def test_what_is_there_already_or_too_little_changes_nothing() -> None:
    ring = Ring()
    ring.add(HERE, chunk(1))
    assert not ring.add(HERE, chunk(1))
    assert not ring.add(HERE, chunk(1).replace("\n", "\r\n"))
    assert not ring.add(HERE, "x = 1\ny = 2\n\n\n")
    assert not ring.add(HERE, "")
    assert [one.text for one in ring.chunks] == [chunk(1)]


def test_what_resembles_the_cursors_text_is_not_offered() -> None:
    ring = Ring()
    for number in range(3):
        ring.add(HERE, chunk(number))
    near = chunk(1).replace("x1 =", "other =")
    assert [one.text for one in ring.beside(near)] == [chunk(0), chunk(2)]


def test_resemblance_is_dices() -> None:
    assert resemblance(words("a b c"), words("b c d")) == 2 * 2 / 6
    assert resemblance(words(""), words("")) == 0.0
    assert resemblance(words("a"), words("a")) == 1.0


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 200), st.integers(0, 1200))
def test_lines_around_a_place(count: int, offset: int) -> None:
    """As many as there may be, whole, and with the place in them."""
    text = "\n".join(f"line {number}" for number in range(count))
    found = lines_around(text, offset)
    assert found in text
    assert len(found.split("\n")) == min(LINES, max(count, 1))
    assert set(found.split("\n")) <= set(text.split("\n"))
    assert text[:offset].rpartition("\n")[2] in found
