"""Nothing lands in the wrong channel, wherever the text is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.reasoning import Channels

SECTIONS = "## Intent\nAdd `a` <think>\n## Steps\n1. go # no\n## Formulas\nNone\n"
INTENT, FENCE, INLINE = "## Intent\nx\n", "```python\n1\n```", "`x` is\n``\n"
CODE = "## Code\n```python\n# </think>\n## Intent\nx = 1\n```"

HARMONY = (
    "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>plan"
    "<|end|><|start|>assistant<|channel|>final<|message|>b <|end|>"
)

CASES = [
    # name, format of ours, tag that the prompt opened, beginning that was given, answer, channels
    ("sections", True, "", "", SECTIONS + CODE, SECTIONS, CODE),
    ("no heading of code", True, "", "", INTENT + FENCE, INTENT, FENCE),
    ("inline code", True, "", "", INTENT + INLINE + "## Code\n", INTENT + INLINE, "## Code\n"),
    ("in a line", True, "", "", INTENT + "a ## Code\nb", INTENT + "a ## Code\nb", ""),
    ("cut off before the code", True, "", "", "## Intent\nx\n## Co", "## Intent\nx\n## Co", ""),
    ("no reasoning", True, "", "", "ABCD", "", "ABCD"),
    ("almost a heading", True, "", "", "## Intention\n## Code\n", "", "## Intention\n## Code\n"),
    ("a heading alone", True, "", "", "## Intent", "## Intent", ""),
    ("sections of a foreign model", False, "", "", SECTIONS + CODE, "", SECTIONS + CODE),
    ("begun in reasoning", True, "", "## Intent\nfo", "o\n## Code\nx", "o\n", "## Code\nx"),
    ("begun in code", True, "", SECTIONS + "## Code\n```python\n", "x = 1", "", "x = 1"),
    ("begun in a heading", True, "", "## In", "tent\nfoo\n## Code\nx", "tent\nfoo\n", "## Code\nx"),
    ("tags", False, "", "", "<think>\na < b\n\n</think>\n\ncode <think>", "a < b", "code <think>"),
    ("tags after white space", False, "", "", "\n <think>x</think>y", "x", "y"),
    ("empty thinking", False, "", "", "<think>\n\n</think>\n\ny", "", "y"),
    ("half a closing tag", False, "", "", "<think>a </thin b</think>c", "a </thin b", "c"),
    ("thinking that does not end", False, "", "", "<think>a </thi", "a </thi", ""),
    ("a tag in the prompt", False, "<think>", "", "a\n</think>\nb", "a", "b"),
    ("almost a tag", False, "", "", "<thin", "", "<thin"),
    ("a comparison", False, "", "", "< b", "", "< b"),
    ("another pair", False, "", "", "<reasoning>a</think></reasoning>b", "a</think>", "b"),
    ("channels", False, "", "", HARMONY, "aplan", "b <|end|>"),
    ("a channel alone", False, "", "", "<|channel|>final<|message|>b", "", "b"),
    ("a wrapped answer", False, "<think>", "", "a</think>\n<response>\nb", "a", "b"),
    ("an answer in XML", False, "", "", "<response>b", "", "<response>b"),
    ("a tag that goes on", False, "", "", "<think>a</think><thin", "a", "<thin"),
    ("white space alone", False, "", "", " \n ", "", " \n "),
    ("nothing", True, "", "", "", "", ""),
]  # fmt: skip


def split(pieces: list[str], ours: bool, thinking: str, before: str) -> tuple[str, str]:
    channels = Channels(sections=ours, thinking=thinking, before=before)
    parts = [channels.feed(piece) for piece in pieces] + [channels.close()]
    return "".join(r for r, _ in parts), "".join(c for _, c in parts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_each_part_comes_on_its_channel_wherever_it_is_cut(case: tuple) -> None:
    """In one piece, character by character, and cut at any two places."""
    _, ours, thinking, before, text, reasoning, content = case
    cuts = [[text], list(text)]
    if len(text) < 80:
        places = itertools.combinations_with_replacement(range(len(text) + 1), 2)
        cuts += [[text[:a], text[a:b], text[b:]] for a, b in places]
    else:
        cuts += [[text[:a], text[a:]] for a in range(len(text) + 1)]
    for pieces in cuts:
        assert split(pieces, ours, thinking, before) == (reasoning, content), pieces


fragments = st.sampled_from(
    ["<think>", "</think>", "<", "think", "## Intent", "## Code", "```", "\n", " ", "x", "#", "`a`"]
)


@given(st.lists(fragments, max_size=12), st.booleans(), st.sampled_from(["", "<think>"]), st.data())
def test_any_text_is_split_the_same_wherever_it_is_cut(
    parts: list[str], ours: bool, thinking: str, data: st.DataObject
) -> None:
    text = "".join(parts)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pieces = [text[a:b] for a, b in itertools.pairwise([0, *places, len(text)])]

    assert split(pieces, ours, thinking, "") == split([text], ours, thinking, "")


@given(st.lists(fragments, max_size=12))
def test_of_our_format_no_character_is_lost(parts: list[str]) -> None:
    text = "## Intent\n" + "".join(parts)
    reasoning, content = split([text], True, "", "")

    assert reasoning + content == text


def test_what_is_certain_does_not_wait() -> None:
    """A reader follows the reasoning word by word."""
    channels = Channels(sections=True)
    assert channels.feed("## Intent\n") == ("## Intent\n", "")
    assert channels.feed("Add") == ("Add", "")
    assert channels.feed(" it.\n## ") == (" it.\n", "")
    tagged = Channels()
    assert tagged.feed("<think>Let me") == ("Let me", "")
    assert tagged.feed(" see </") == (" see", "")


def test_a_whole_answer_begins_with_the_tag_that_the_prompt_holds() -> None:
    """Without it, who reads the text alone can not tell thinking from an answer."""
    channels = Channels(thinking="<think>", whole=True)

    assert [channels.feed("so"), channels.feed("</think>x")] == [
        ("", "<think>\nso"),
        ("", "</think>x"),
    ]
    assert channels.close() == ("", "")
