"""What is shown: complete in itself, escaped, and readable without colours."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.experiments import page, plots, table

EVIL = '<script>alert("1")</script> & | `x`'
_VOID = ("meta", "line", "circle", "polyline")


def _estimate(value: float) -> dict:
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "method": "bootstrap"}


def _found() -> dict:
    """A set as `results.collect` makes it, small and with names that are markup."""
    change = {
        "value": 0.04, "low": -0.02, "high": 0.1, "p": 0.2, "p_holm": 0.2, "test": EVIL,
        "standard_error": 0.03, "detectable": 0.084, "only_first": 3, "only_second": 9,
        "cells": 150, "against": "reference",
    }  # fmt: skip
    rows = [
        {"arm": name, "pass@1": _estimate(0.3), "by_seed": [0.28, None, 0.32],
         "syntax": _estimate(0.5), "data_flow": None, "difference": difference}
        for name, difference in (("reference", None), (EVIL, change))
    ]  # fmt: skip
    arms = [
        {"name": name, "asks": EVIL, "recipe": "nano", "changes": [EVIL], "reasoning": "",
         "against": None, "command": EVIL, "end": {"token_loss": 0.5},
         "series": {"token_loss": [[0, 1.0], [1, 0.5]]},
         "runs": [{"seed": 1, "folder": "x", "status": "failed", "reason": EVIL + "\n\nmore"}]}
        for name in ("reference", EVIL)
    ]  # fmt: skip
    return {
        "set": EVIL, "summary": EVIL, "command": EVIL, "reference": "reference", "seeds": 3,
        "own_base": False, "shared": ["base"], "notes": [EVIL], "versions": {"torch": EVIL},
        "arms": arms, "questions": {EVIL: {"problems": 50, "arms": rows}},
        "floors": {EVIL: {"syntax": 0.2, "data_flow": None}},
        "curve": {"axis": EVIL, "points": {EVIL: [{"size": 10, "arm": EVIL, **_estimate(0.2)},
                                                  {"size": 20, "arm": EVIL, **_estimate(0.3)}]}},
    }  # fmt: skip


class _Reader(HTMLParser):
    """Every tag and attribute, and whether tags are closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text() -> str:
    return page.html(_found())


def test_names_and_reasons_are_text_and_never_markup(text):
    reader = _Reader()
    reader.feed(text)
    reader.close()

    assert reader.open == []
    assert "script" not in reader.tags
    assert text.count("&lt;script&gt;") >= 10
    assert "alert(&quot;1&quot;)" in text


def test_nothing_is_loaded_from_anywhere(text):
    reader = _Reader()
    reader.feed(text)

    names = {name for name, _ in reader.attributes}
    assert not names & {"src", "href", "srcset", "style", "onload"}
    assert not re.search(r"url\(|@import", text)
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "prefers-color-scheme: dark" in text


def test_there_is_a_picture_for_the_scores_the_losses_and_the_curve(text):
    assert re.findall(r"<svg.*?<title>(.*?)</title>", text) == [
        f"pass@1 by arm, {_escaped(EVIL)}",
        f"pass@1 by {_escaped(EVIL)}",
        "Token loss over the steps",
    ]


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)


def test_a_cell_of_markdown_stays_a_cell():
    lines = table.markdown(_found()).splitlines()
    rows = [line for line in lines if line.startswith("| ")]

    assert rows
    for line in rows:
        # Bars that are not escaped are borders of cells.
        head = line[: line.index("|", 1)]
        assert re.search(r"(?<!\\)<", line) is None, head
    failed = next(line for line in rows if "failed" in line and "script" in line)
    assert len(re.findall(r"(?<!\\)\|", failed)) == 5
    assert "more" in failed


def test_what_is_not_shown_says_what_would_have_been_seen():
    row = _found()["questions"][EVIL]["arms"][1]
    said = table.sentence(row)

    assert "not told apart from reference" in said and "8.4 points" in said
    row["difference"] |= {"p_holm": 0.01}
    assert "passes more than reference" in table.sentence(row)


@pytest.mark.parametrize(
    ("value", "said"), [(0.01, "nearly none"), (0.99, "nearly all"), (0.3, None)]
)
def test_questions_that_are_too_hard_or_too_easy_are_called_so(value, said):
    """Ten arms that all fail everything are not ten arms that are equally good."""
    found = _found()
    for row in found["questions"][EVIL]["arms"]:
        row["pass@1"] = _estimate(value)

    text = table.markdown(found)

    assert ("can not tell arms apart" in text) == (said is not None)
    assert said is None or said in text


def test_lines_differ_by_more_than_their_colour(text):
    dashes = re.findall(r"\.k\d \{ stroke: [^;]+; stroke-dasharray: ([^;]+);", text)
    assert len(dashes) == len(set(dashes)) == 10


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e3))
def test_an_axis_has_a_few_round_numbers_within_it(low: float, width: float):
    found = plots.ticks(low, low + width)

    assert 2 <= len(found) <= 12
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in found)


def test_a_set_of_which_nothing_is_done_has_a_page_too():
    found = _found() | {"questions": {}, "floors": {}, "curve": {"axis": "x", "points": {}}}
    for arm in found["arms"]:
        arm |= {"series": {}, "end": {}}

    assert "<svg" not in page.html(json.loads(json.dumps(found)))
    assert "failed" in table.markdown(found)
