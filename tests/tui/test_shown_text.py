"""Text that a model may emit, made safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.text import displayable, fold, shorten

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=200)


@given(ANYTHING)
def test_nothing_that_is_shown_can_command_a_terminal(text: str) -> None:
    """No control character passes but newline and tab, and all of it can be encoded."""
    shown = displayable(text)

    shown.encode("utf-8")
    assert not [c for c in shown if c not in "\n\t" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0)]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "\u241b[31mred"),
        ("a\x00b", "a\u2400b"),
        ("one\r\ntwo", "one\ntwo"),
        ("one\rtwo", "one\u240dtwo"),
        ("a\u202eb", "a<U+202E>b"),
        ("a\ud800b", "a\ufffdb"),
        ("[bold]list[int][/bold]", "[bold]list[int][/bold]"),
    ],
)
def test_what_is_dangerous_is_made_visible(raw: str, shown: str) -> None:
    """A control is replaced by a sign for it; brackets are plain text."""
    assert displayable(raw) == shown


LINES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
    | st.sampled_from("世界é\u0301❤️👩‍👩‍👧"),
    max_size=120,
)


@given(LINES, st.integers(2, 30))
def test_folding_loses_nothing(line: str, width: int) -> None:
    """The rows of a line, joined, are the line."""
    assert "".join(line[start:end] for start, end in fold(line, width)) == line


@given(LINES, st.integers(2, 30))
def test_folded_rows_fit(line: str, width: int) -> None:
    """No row is wider than asked, unless a single cluster is."""
    for start, end in fold(line, width):
        assert cell_len(line[start:end]) <= width or end - start == 1


def test_shortening_marks_the_cut() -> None:
    """A text that fits is untouched, a longer one ends in an ellipsis and fits."""
    assert shorten("starter", 10) == "starter"
    assert shorten("a-very-long-model-name", 10) == "a-very-lo…"
    assert cell_len(shorten("世界世界世界", 7)) <= 7
