"""A window into a long text stays where it is while one types."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.window import first_tokens, last_tokens, mark, stable_start

lines = st.lists(st.text(alphabet="ab \t\r\né", max_size=40), max_size=80).map("\n".join)


def characters(text: str, first: bool = False) -> list[int]:
    """A token for each character."""
    return [ord(one) for one in text]


@given(text=lines, grain=st.integers(1, 60), number=st.integers(0, 60))
def test_a_mark_begins_a_line_where_there_is_one(text: str, grain: int, number: int) -> None:
    at = mark(text, number, grain)
    start = number * grain

    if number == 0:
        assert at == 0
        return
    begins = [i + 1 for i, one in enumerate(text) if one == "\n" and start <= i + 1 < start + grain]
    if begins:
        assert at == begins[0]
    else:
        assert start <= at <= start + 1
        assert text[at - 1 : at + 1] != "\r\n"


@given(text=lines, most=st.integers(1, 400))
def test_the_window_is_at_most_so_long_and_at_least_half(text: str, most: int) -> None:
    start = stable_start(text, most)

    assert len(text) - start <= most
    if most >= 8 and start:
        # A quarter may be lost by the choice of a mark, and another by that of a line.
        assert len(text) - start >= most // 2 - 2


@given(text=lines, typed=st.text(alphabet="ab\n", min_size=1, max_size=100))
def test_typing_moves_the_window_once_in_a_quarter_of_it(text: str, typed: str) -> None:
    most = 400
    text = "def f(é):\n" * 60 + text
    starts = [stable_start(text + typed[:count], most) for count in range(len(typed) + 1)]

    assert starts == sorted(starts)
    # Each move goes to another mark, and the marks lie a quarter of the window apart.
    assert len(set(starts)) <= 1 + len(typed) // (most // 4) + 1


@given(text=lines, most=st.integers(0, 300))
def test_tokens_of_the_end(text: str, most: int) -> None:
    tokens, whole = last_tokens(text, most, max(1, most // 2), characters)

    assert len(tokens) <= most
    assert tokens == characters(text[len(text) - len(tokens) :])
    assert whole == (len(text) <= most)
    if whole:
        assert len(tokens) == len(text)
    elif most >= 16:
        assert len(tokens) >= most // 2


@given(text=lines, most=st.integers(0, 300))
def test_tokens_of_the_beginning(text: str, most: int) -> None:
    assert first_tokens(text, most, characters) == characters(text[:most])


def test_only_what_is_needed_of_a_huge_text_is_looked_at() -> None:
    """Counted, not timed: a megabyte costs what a page costs."""
    looked = 0

    def tokenize(text: str, first: bool = False) -> list[int]:
        nonlocal looked
        looked += len(text)
        return list(range(len(text) // 4))

    line = "    value = value + 1  # a line as they are\n"
    last_tokens(line * 25_000, 1500, 1500, tokenize)
    first_tokens(line * 25_000, 500, tokenize)

    assert looked < 20_000


def test_white_space_without_end_is_not_read_to_its_beginning() -> None:
    looked = 0

    def tokenize(text: str, first: bool) -> list[int]:
        nonlocal looked
        looked += len(text)
        return [0] * (len(text) // 100)

    last_tokens(" " * 1_000_000, 1500, 1500, tokenize)

    assert looked < 50_000
