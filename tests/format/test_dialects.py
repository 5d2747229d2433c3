"""Every dialect of thinking, cut anywhere: thinking is reasoning, and the code is only the code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.events import Code, Reasoning, Section
from assistant.format import Splitter, dialects
from tests.format.test_splitter import TRAINED, code_of, split

CODE = "def f(x):\n    return sum(x)\n"
DRAFT = "First a draft:\n```python\ndef draft(x): ...\n```\nNo, better.\n"
HARMONY = (
    "<|channel|>analysis<|message|>" + DRAFT + "<|end|><|start|>assistant<|channel|>commentary"
    "<|message|>A plan.<|end|><|start|>assistant<|channel|>final<|message|>" + TRAINED
)
WRAPPED = [
    f"{opening}\n{DRAFT}\n{closing}{head}\n{TRAINED}{tail}"
    for dialect in dialects.DIALECTS
    for opening in dialect.openings
    for closing in dialect.closings
    for head, tail in [("", ""), *zip(dialect.heads, dialect.tails, strict=False)]
]
ONE_LINE = [f"{opening}Short.{closing}{TRAINED}" for opening, closing in dialects.THINK_TAGS]
NO_OPENING = [f"{DRAFT}{closing}\n{TRAINED}" for closing in dialects.CLOSING_TAGS]
ODD = [
    HARMONY,
    "<|channel|>final<|message|>" + TRAINED,
    "<think>\n</think>\n\n<response>\n" + TRAINED + "\n</response>\n",
    "<think>a</think><think>b</think>" + TRAINED,
    "[THINK]A [/ draft [/THIN of it[/THINK]" + TRAINED + "[END FINAL RESPONSE]",
    "<response>" + TRAINED + "</response>",
    "<answer>\ndef f(x):\n    return sum(x)</answer>",
    "to=self<|message|>Hm.<|eot|><|start|>assistant to=user<|message|>" + TRAINED,
    "<|think|>Hm.\n```python\nx <|end|><|begin|>assistant<|content|>" + TRAINED,
]
IN_CODE = "def f(x):\n    # [THINK] <think> <|END_THINKING|>\n    return sum(x)  # </think>\n"


@pytest.mark.parametrize("text", [*WRAPPED, *ONE_LINE, *NO_OPENING, *ODD])
def test_the_code_is_the_answers_code(text: str) -> None:
    assert code_of(text) == CODE


@pytest.mark.parametrize("text", [*WRAPPED, *ONE_LINE, HARMONY])
def test_the_reasoning_is_words_and_sections(text: str) -> None:
    """No tag of a dialect is shown, and the answer's sections are found behind them."""
    events, _ = split(text, [])
    sections = {section for (kind, _, section), _, _ in events if kind is Reasoning}
    shown = "".join(body for (kind, _, _), body, _ in events if kind is Reasoning)

    assert {Section.INTENT, Section.STEPS, Section.FORMULAS, Section.EDGE_CASES} <= sections
    assert not any(mark in shown for mark in (*dialects.OPENING_TAGS, *dialects.HEADS))
    assert not any(mark in shown for mark in dialects.CLOSING_TAGS)


@pytest.mark.parametrize("text", [*WRAPPED, *ONE_LINE, *NO_OPENING, *ODD])
def test_every_cut_gives_the_same_events(text: str) -> None:
    whole, _ = split(text, [])
    for position in range(len(text) + 1):
        assert split(text, [position])[0] == whole, text[:position]
    assert split(text, list(range(len(text))))[0] == whole


@pytest.mark.parametrize("closing", dialects.CLOSING_TAGS)
def test_thinking_that_the_prompt_began(closing: str) -> None:
    text = f"{DRAFT}{closing}\n{TRAINED}"
    whole, _ = split(text, [], starts_in_reasoning=True)

    assert code_of(text, starts_in_reasoning=True) == CODE
    assert not any(replaces for _, _, replaces in whole)
    for position in range(len(text) + 1):
        assert split(text, [position], starts_in_reasoning=True)[0] == whole


@pytest.mark.parametrize(("opening", "closing"), dialects.THINK_TAGS)
def test_tags_inside_the_code_are_text(opening: str, closing: str) -> None:
    code = f"def f(x):\n    # {opening} or {closing}\n{closing}\n    return '{closing}'\n"
    text = f"{opening}Hm.{closing}\n## Code\n```python\n{code}```\n"

    assert code_of(text) == code


def test_thinking_never_reaches_the_code_when_it_is_cut_off() -> None:
    for opening in dialects.OPENING_TAGS:
        text = f"{opening}\n{DRAFT}"
        for end in range(len(opening), len(text)):
            events, splitter = split(text[:end], [])
            assert not any(kind is Code for (kind, _, _), _, _ in events)
            assert splitter.truncated


PIECES = [
    *dialects.OPENING_TAGS, *dialects.CLOSING_TAGS, *dialects.HEADS, *dialects.TAILS,
    "<|end|>", "## Code\n", "```python\n", "```", "\n", "def f():\n", "x", " ", "[", "<", "<|",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=10), st.data())
def test_random_output_splits_alike(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    assert split(text, cuts)[0] == split(text, [])[0]


def test_an_opening_at_the_end_of_a_prompt_is_seen() -> None:
    for opening, closing in dialects.THINK_TAGS:
        assert dialects.open_thinking(f"user: hi\nassistant: {opening}\n") == opening
        assert dialects.open_thinking(f"user: hi\nassistant: {opening}\n{closing}") == ""
        assert dialects.open_thinking(f"user: {opening}\nassistant: ") == ""
        assert dialects.open_thinking("a: ", f"{opening} So") == opening
        assert dialects.open_thinking(f"a: {opening}", f"So {closing} x") == ""


def test_tags_are_text_when_the_server_parts_the_thinking() -> None:
    """What it sends as the answer holds none of its own; one that is spoken of ends nothing."""
    splitter = Splitter()
    splitter.thinking_is_apart()
    events = splitter.feed("Split at </think> like this:\n" + TRAINED) + splitter.close()

    assert splitter.candidate == 0
    assert "Split at </think> like" in "".join(e.text for e in events if isinstance(e, Reasoning))
