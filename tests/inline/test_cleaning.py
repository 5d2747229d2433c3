"""From what a model said to what may be shown: nothing doubled, nothing half, nothing broken."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assistant.checks import languages
from assistant.inline import Nothing, Place, Request, Suggestion, request_for
from assistant.inline.cleaning import clean
from assistant.inline.suggestion import applied
from assistant.inline.syntax import breaks, parses

SOURCE = Path(ast.__file__).read_text("utf-8")


def cleaned(
    text: str, raw: str, *, ended: bool = True, language: str = "python"
) -> Suggestion | Nothing:
    """What is made of `raw` at the bar in `text`."""
    place = Place(text.replace("|", "", 1), text.index("|"), language)
    request = request_for(place)
    assert isinstance(request, Request)
    return clean(place, request, raw, ended=ended)


def shown(text: str, raw: str, **more: object) -> str:
    """The file with the suggestion in it, or the reason why there is none."""
    found = cleaned(text, raw, **more)
    if isinstance(found, Nothing):
        return found.reason
    return applied(text.replace("|", "", 1), found)


EXISTS = "what the model says stands there already"
BROKEN = "the file would not parse any more"


@pytest.mark.parametrize(
    ("text", "raw", "result"),
    [
        # What stands behind the cursor is not doubled; brackets that are needed are kept.
        ("x = f(|)\n", "1)", "x = f(1)\n"),
        ("x = f(|)\n", "g(1)", "x = f(g(1))\n"),
        ("x = f(g(|))\n", "1))", "x = f(g(1))\n"),
        ("x = f(g(|))\n", "1)", "x = f(g(1))\n"),
        ("x = '|'\n", "a'", "x = 'a'\n"),
        ("x = '|'\n", "a", "x = 'a'\n"),
        ("x = [|]\n", "a[0]", "x = [a[0]]\n"),
        ("for a in |:\n    b\n", "c:", "for a in c:\n    b\n"),
        ("x = | + tax\n", "price + tax", "x = price + tax\n"),
        ("x = |x\n", "max", "x = maxx\n"),
        ("x = |ices\n", "prices", "x = prices\n"),
        ("    |lance += op\n", "balance += op", "    balance += op\n"),
        ("f(|, b)\n", "a, b)", "f(a, b)\n"),
        # Nor are the lines below.
        ("x = 1\n|\ny = 2\n", "y = 2", EXISTS),
        (
            "def f():\n    |\n    return a\n",
            "    a = 1\n    return a",
            "def f():\n    a = 1\n    return a\n",
        ),
        (
            "def f():|\n    return a\n",
            "\n    a = 1\n    return a",
            "def f():\n    a = 1\n    return a\n",
        ),
        ("if a:\n    x = 1\n|\n\ny = 2\n", "y = 2", EXISTS),
        ("x = 1\n|\n", "x = 1", EXISTS),
        ("if a:\n    b\n|\n", "b", "if a:\n    b\nb\n"),
        # Indentation.
        ("def f():\n    |\n", "    return 1", "def f():\n    return 1\n"),
        ("def f():\n|\n", "    return 1", "def f():\n    return 1\n"),
        ("def f():\n    a = 1\n    |\n", "b = 2", "def f():\n    a = 1\nb = 2\n"),
        ("def f():\n    a = 1\n        |\n", "    b = 2", "def f():\n    a = 1\n    b = 2\n"),
        ("def f():\n\ta = 1\n    |  \n", "\tb = 2", "def f():\n\ta = 1\n\tb = 2\n"),
        ("def f():\r\n    |\r\n", "    a\n    b", "def f():\r\n    a\r\n    b\r\n"),
        # The file goes on parsing.
        ("x = 1|\n", " +", BROKEN),
        ("x = |\n", "(1", BROKEN),
        ("x = (1,\n|\n", "2)", "x = (1,\n2)\n"),
        ("|\n", "for a in b:", BROKEN),
        ("for a in |\n", "b:", "for a in b:\n"),
        ("def f():\n    return |\n\nx = 1\n", "1 )", BROKEN),
        # Nothing at all.
        ("x = 1|\n", "", "the model adds nothing here"),
        ("x = 1|\n", "  \n\n", "the model adds nothing here"),
        ("|", "\ufffd", "the line did not come to an end"),
        # In a circle.
        ("|", "if a:\n    b()\n    b()\n    b()\n    b()", "if a:\n    b()"),
    ],
)
def test_clean(text: str, raw: str, result: str) -> None:
    assert shown(text, raw) == result


@pytest.mark.parametrize(
    ("text", "raw", "result"),
    [
        ("x = |\n", "1 + long_na", "the line did not come to an end"),
        ("def f():|\n", "\n    a = 1\n    b = lon", "def f():\n    a = 1\n"),
    ],
)
def test_a_limit_costs_the_line_that_it_cut(text: str, raw: str, result: str) -> None:
    assert shown(text, raw, ended=False) == result


def test_other_languages_are_parsed_where_there_is_a_grammar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python's grammar stands for that of a language whose own is not installed here."""
    assert shown("x = 1|\n", " + (", language="snake") == "x = 1 + (\n"

    monkeypatch.setitem(languages._NAMES, "snake", "python")

    assert shown("x = 1|\n", " + (", language="snake") == BROKEN
    assert shown("x = 1|\n", " + 1", language="snake") == "x = 1 + 1\n"
    assert shown("x = (|\n", "1 +", language="snake") == "x = (1 +\n"


PARTS = ["\n", "    ", "x", " = ", "1", "(", ")", "def f():", "return x", "'", ":", "\r\n", "#é"]
fragments = st.lists(st.sampled_from(PARTS), max_size=25).map("".join)


@given(text=fragments, raw=fragments, at=st.integers(0, 120), ended=st.booleans())
@example(text="x\r\n\ty", raw="\r\n", at=2, ended=True)
def test_whatever_is_said_the_file_is_safe(text: str, raw: str, at: int, ended: bool) -> None:
    """The line alone is touched, what was typed stays, and a file that parsed parses."""
    place = Place(text, at)
    request = request_for(place)
    if isinstance(request, Nothing):
        return
    found = clean(place, request, raw, ended=ended)
    if isinstance(found, Nothing):
        assert found.reason
        return

    assert found.text.strip()
    assert place.line_start <= found.start <= place.offset <= found.end <= place.line_end
    assert not text[found.start : found.end].strip()
    assert parses(applied(text, found)) or not parses(text)
    if "\r" not in text:
        assert "\r" not in found.text
    if place.after.strip():
        assert "\n" not in found.text


@given(line=st.integers(0, SOURCE.count("\n") - 1), data=st.data())
def test_what_was_there_comes_back(line: int, data: st.DataObject) -> None:
    """A line cut anywhere and said by the model as it was gives the file as it was."""
    lines = SOURCE.split("\n")
    cut = data.draw(st.integers(0, len(lines[line])))
    rest = lines[line][cut:]
    before = "\n".join([*lines[:line], lines[line][:cut]])
    after = "\n".join(["", *lines[line + 1 :]])
    place = Place(before + after, len(before))
    request = request_for(place)
    if isinstance(request, Nothing) or not lines[line].strip():
        return
    raw = lines[line] if place.blank else rest
    found = clean(place, request, raw, ended=True)

    if isinstance(found, Suggestion):
        kept = "" if place.blank else place.before
        line_as_was = kept + (lines[line] if place.blank else rest).rstrip()
        assert applied(place.text, found) == before[: place.line_start] + line_as_was + after
    else:
        assert not rest.strip() or found.reason == EXISTS


@pytest.mark.parametrize("count", [1, 40])
def test_long_files_are_checked_around_the_cursor(count: int) -> None:
    """A definition is broken however long the file is; a broken one elsewhere does not matter."""
    text = SOURCE * count
    at = text.index("\n    flags = PyCF", (count - 1) * len(SOURCE) // 2)
    place = Place(text, at)

    assert not breaks(place, Suggestion(at, at, "\n    x = 1"))
    assert breaks(place, Suggestion(at, at, "\n    x = (1"))
    assert breaks(place, Suggestion(at, at, "\n  x = 1"))
