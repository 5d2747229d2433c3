"""Colouring a block that grows."""

from __future__ import annotations

from tui.highlight import Highlighter, code_lines, coloured

FUNCTION = "def add(a, b):\n    return a + b\n"


class CostlyClock:
    """Each reading takes a millisecond, so that everything seems to cost time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


def test_lines_carry_colours_and_the_same_text() -> None:
    """Keywords have a style; no character is added or lost."""
    lines = coloured(code_lines(FUNCTION), "python")

    assert [line.plain for line in lines] == ["def add(a, b):", "    return a + b"]
    assert any(line.plain[s.start : s.end] == "def" for line in lines for s in line.spans)


def test_code_that_grows_quickly_is_not_coloured_for_every_piece() -> None:
    """Between two colourings lies ten times the time of one; the text is there all the same."""
    highlighter = Highlighter("python", CostlyClock())
    source = ""
    for number in range(200):
        source += f"x{number} = {number}\n"
        lines = highlighter.update(source)
        assert lines[-1].plain == f"x{number} = {number}"

    assert highlighter.runs < 40


def test_the_final_text_is_coloured_whatever_the_budget() -> None:
    """Nothing stays plain when the code is complete."""
    highlighter = Highlighter("python", CostlyClock())
    for end in range(1, len(FUNCTION) + 1):
        highlighter.update(FUNCTION[:end])
    lines = highlighter.update(FUNCTION, final=True)

    assert [line.spans for line in lines] == [
        line.spans for line in coloured(code_lines(FUNCTION), "python")
    ]


def test_settled_code_is_not_coloured_again() -> None:
    """Once final and unchanged, a look costs nothing."""
    highlighter = Highlighter("python")
    highlighter.update(FUNCTION, final=True)
    runs = highlighter.runs
    for _ in range(5):
        highlighter.update(FUNCTION, final=True)

    assert highlighter.runs == runs


def test_an_unknown_language_is_shown_plain() -> None:
    """No lexer, no colours, no error."""
    assert [line.plain for line in coloured(["a [b] c"], "no such language")] == ["a [b] c"]


def test_unchanged_lines_are_the_same_objects() -> None:
    """So the widget can tell what it has drawn already."""
    highlighter = Highlighter("python")
    before = highlighter.update("import os\nimport sys\n")
    after = highlighter.update("import os\nimport sys\nimport re\n", final=True)

    assert after[0] is before[0]
