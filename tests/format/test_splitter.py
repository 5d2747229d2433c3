"""The splitter: the same events wherever the output is cut, and code that is only code."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.events import Code, Reasoning, Section
from assistant.format import Rationale, Splitter, lines, parse, render

RATIONALE = Rationale(
    "Add the numbers.", ("Start at 0.", "Add each number."), ("s = sum(x)",), ("Empty: 0.",)
)

TRAINED = render(RATIONALE, "def f(x):\n    return sum(x)\n")
IN_DOCSTRING = render(
    RATIONALE,
    'def f(x):\n    """Use it so:\n\n```python\nf(1)\n```\n\n    ````\n    """\n    return x\n',
)
LITERAL_TAGS = render(
    RATIONALE, "def f(text):\n    # </think>\n</think>\n    return text.split('</think>')[-1]\n"
)
THINK = (
    "<think>\nFirst, a draft:\n```python\ndraft = '</think>'\n```\nGood.\n</think>\n\n" + TRAINED
)
NO_OPENING_TAG = (
    "The user wants a sum.\n```python\ndef draft(x): ...\n```\nNo.\n</think>\n"
    "Here:\n```python\ndef f(x):\n    return sum(x)\n```\nDone, `</think>` is text here.\n"
)
TAG_IN_LINE = "I think so.</think>```python\nx = 1\n```"
BARE_FENCE = "Here it is:\n\n```py\nx = 1\n```\nUse it well.\n```text\n1\n```\n"
NO_FENCE = "def f(x):\n    return x\n\n\ndef g():\n    pass\nThis function returns x.\n"
PROSE_THEN_BARE = "Sure.\n\nimport math\n\ndef f(x):\n    return math.sqrt(x)\n"
HEADING_NO_FENCE = "## Intent\nSay.\n## Code\nx = 1\ny = 2\n"
QUOTED_IN_STEPS = (
    "## Intent\nSay.\n## Steps\n1. Like\n```python\nx\n```\n## Code\n```python\ny\n```\n"
)
FORMULAS_FENCE = "## Formulas\n```\na = b\n```\n## Edge cases\n- none\n## Code\n```python\ny\n```"
TAG_IN_SECTION = "## Intent\nCut at `</think>` once.\n## Code\n```python\nx = 1\n```"
TAG_AFTER_CODE = "```python\nx = 1\n```\nIt ends at `</think>` as asked.\n"
QUOTES_IN_COMMENT = '```python\n# say """ here\nx = 1\n```\nprose\n'
TILDES = "~~~python\nx = '```'\n~~~\n"
ALL = [
    TRAINED,
    TRAINED.replace("\n", "\r\n"),
    TRAINED[:-8],
    TRAINED[:-4],
    TRAINED[:-1],
    TRAINED + "\nAnd more.\n## Code\n```python\nother\n```\n",
    IN_DOCSTRING,
    LITERAL_TAGS,
    THINK,
    NO_OPENING_TAG,
    TAG_IN_LINE,
    BARE_FENCE,
    NO_FENCE,
    PROSE_THEN_BARE,
    HEADING_NO_FENCE,
    QUOTED_IN_STEPS,
    FORMULAS_FENCE,
    TILDES,
    "<thinking>one line</thinking>\n```python\nx\n```",
    "<think>never closed\n```python\nx = 1\n```\n",
    TAG_IN_SECTION,
    TAG_AFTER_CODE,
    QUOTES_IN_COMMENT,
    "a < b and c </thin\n<think\n</think>x",
    "```python\ns = '''\n```\n'''\n```\n",
    "\n\n<think>\nlate</think>\n\n\ndef f(): pass",
]


def split(text: str, cuts: list[int], **options: bool) -> tuple[list[tuple[object, ...]], Splitter]:
    """Feed `text` cut at `cuts`; neighbouring events of a kind are joined."""
    splitter = Splitter(**options)
    events = []
    bounds = [0, *sorted(cuts), len(text)]
    for start, end in itertools.pairwise(bounds):
        events += splitter.feed(text[start:end])
    events += splitter.close()
    joined: list[tuple[object, ...]] = []
    for event in events:
        section = event.section if isinstance(event, Reasoning) else None
        key = (type(event), event.candidate, section)
        if joined and joined[-1][0] == key and event.replaces is None:
            joined[-1] = (key, joined[-1][1] + event.text, joined[-1][2])
        else:
            joined.append((key, event.text, event.replaces))
    return joined, splitter


def code_of(text: str, **options: bool) -> str:
    events, splitter = split(text, [], **options)
    return "".join(
        body for (kind, owner, _), body, _ in events if kind is Code and owner == splitter.candidate
    )


@pytest.mark.parametrize("text", ALL)
@pytest.mark.parametrize(
    "options", [{}, {"starts_in_reasoning": True}, {"explains": True}], ids=str
)
def test_every_cut_gives_the_same_events(text: str, options: dict[str, bool]) -> None:
    """Cut at each position, and at each character at once."""
    whole, _ = split(text, [], **options)
    for position in range(len(text) + 1):
        assert split(text, [position], **options)[0] == whole
    everywhere = list(range(len(text)))
    assert split(text, everywhere, **options)[0] == whole


PIECES = [
    "## Intent\n", "## Code\n", "## Edge cases\n", "```python\n", "```\n", "````\n", "<think>",
    "</think>", "</think>\n", "def f(x):\n", "    return '''", "'''\n", "prose ", "x", "\n",
    "\r\n", "# ", "<", "`", " ", "This works\n", "import os\n", "~~~\n", '"""', "\\",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.booleans(), st.data())
def test_random_output_splits_alike(pieces: list[str], explains: bool, data: st.DataObject) -> None:
    """No cut changes the events, whatever the output is made of."""
    text = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    whole = split(text, [], explains=explains)[0]
    assert split(text, cuts, explains=explains)[0] == whole
    assert not (explains and any(kind is Code for (kind, _, _), _, _ in whole))


CODE_LINES = ["x = 1", "```", "````", "</think>", "## Code", "", "    y", '"""', "'''", "# it's"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(CODE_LINES), min_size=1, max_size=8))
def test_rendered_code_comes_back(lines: list[str]) -> None:
    """Whatever the code holds, the format gives it back, unless its strings are left open."""
    source = "\n".join(lines) + "\n"
    quotes_left_open = source.count('"""') % 2 or source.count("'''") % 2
    completion = parse(render(RATIONALE, source))
    if not quotes_left_open and '"""' not in source and "'''" not in source:
        assert completion.code == source
        assert completion.complete
    assert completion.code.startswith(source)


def test_the_format_gives_sections_and_code() -> None:
    completion = parse(TRAINED)

    assert completion.reasoning == {
        Section.INTENT: "Add the numbers.\n",
        Section.STEPS: "1. Start at 0.\n2. Add each number.\n",
        Section.FORMULAS: "s = sum(x)\n",
        Section.EDGE_CASES: "- Empty: 0.\n",
    }
    assert completion.code == "def f(x):\n    return sum(x)\n"
    assert completion.complete


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (IN_DOCSTRING, IN_DOCSTRING.split("`````python\n")[-1].removesuffix("`````")),
        (LITERAL_TAGS, LITERAL_TAGS.split("```python\n")[-1].removesuffix("```")),
        (THINK, "def f(x):\n    return sum(x)\n"),
        (NO_OPENING_TAG, "def f(x):\n    return sum(x)\n"),
        (TAG_IN_LINE, "x = 1\n"),
        (BARE_FENCE, "x = 1\n"),
        (NO_FENCE, "def f(x):\n    return x\n\n\ndef g():\n    pass\n"),
        (PROSE_THEN_BARE, "import math\n\ndef f(x):\n    return math.sqrt(x)\n"),
        (HEADING_NO_FENCE, "x = 1\ny = 2\n"),
        (QUOTED_IN_STEPS, "y\n"),
        (FORMULAS_FENCE, "y\n"),
        (TAG_AFTER_CODE, "x = 1\n"),
        (QUOTES_IN_COMMENT, '# say """ here\nx = 1\n'),
        (TILDES, "x = '```'\n"),
        (TRAINED.replace("\n", "\r\n"), "def f(x):\r\n    return sum(x)\r\n"),
        ("```python\ns = '''\n```\n'''\n```\n", "s = '''\n```\n'''\n"),
        ("<think>never closed\n```python\nx = 1\n```\n", ""),
    ],
)
def test_code_is_only_code(text: str, code: str) -> None:
    """No heading, fence, tag or prose reaches the code, and no line of it is lost."""
    assert code_of(text) == code


def test_a_draft_is_replaced_and_says_so() -> None:
    """Code before a closing tag without an opening one was thinking."""
    events, splitter = split(NO_OPENING_TAG, [])

    assert splitter.candidate == 1
    assert [replaces for _, _, replaces in events if replaces is not None] == [0]
    first_of_second = next(event for event in events if event[0][1] == 1)
    assert first_of_second[2] == 0


@pytest.mark.parametrize("text", [TAG_IN_SECTION, TAG_AFTER_CODE])
def test_a_tag_that_is_spoken_of_is_text(text: str) -> None:
    """In the sections of the format, and in a sentence after the code, a tag is no tag."""
    events, splitter = split(text, [])

    assert splitter.candidate == 0
    assert any(kind is Reasoning and "`</think>`" in body for (kind, _, _), body, _ in events)


def test_a_tag_that_was_in_the_prompt() -> None:
    text = "Let me think.\n```python\ndraft\n```\n</think>\n```python\nx = 1\n```"
    assert code_of(text, starts_in_reasoning=True) == "x = 1\n"


@pytest.mark.parametrize(
    ("text", "truncated"),
    [(TRAINED, False), (TRAINED[:-1], True), (TRAINED[:-8], True), ("<think>so", True)],
)
def test_output_that_stops_early_is_known(text: str, truncated: bool) -> None:
    assert split(text, [])[1].truncated is truncated


def test_what_streams_is_not_held_back() -> None:
    """A word in the middle of a line is out before the line ends."""
    splitter = Splitter()

    assert splitter.feed("## Intent\nAdd the") == [Reasoning(0, Section.INTENT, "Add the")]
    splitter.feed(" rest\n## Code\n```python\n")
    assert splitter.feed("    return 1") == [Code(0, "    return 1")]


def test_nothing_after_the_closed_code_is_awaited() -> None:
    splitter = Splitter()
    splitter.feed(TRAINED + "\n")

    assert splitter.finished


def test_after_a_bare_fence_a_replacement_may_come() -> None:
    splitter = Splitter()
    splitter.feed(BARE_FENCE)

    assert not splitter.finished


EXPLAINED = "It adds.\n\n```python\nreturn sum(x)\n```\n## Code\nimport os\ndef f(): ...\n"


def explanation(text: str, **options: bool) -> tuple[str, str]:
    """What is thought and what is said by the candidate that counts."""
    events, splitter = split(text, [], explains=True, **options)
    mine = [
        (section, body) for (_, owner, section), body, _ in events if owner == splitter.candidate
    ]
    thought = "".join(body for section, body in mine if section is Section.OTHER)
    said = "".join(body for section, body in mine if section is Section.EXPLANATION)
    return thought, said


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        (EXPLAINED, ""),
        (f"<think>\nHm.\n```python\nx\n```\n</think>\n{EXPLAINED}", "Hm.\n```python\nx\n```\n"),
        (f"I see.\n</think>\n{EXPLAINED}", ""),
    ],
)
def test_an_explanation_is_words_with_the_code_that_they_quote(text: str, thought: str) -> None:
    """Every line of it in its place; what was thought is told apart, or replaced."""
    assert explanation(text) == (thought, EXPLAINED)


def test_thinking_that_looked_like_an_explanation_is_replaced() -> None:
    events, splitter = split(f"I see.\n</think>\n{EXPLAINED}", [], explains=True)

    assert splitter.candidate == 1
    assert [replaces for _, _, replaces in events] == [None, 0]


def test_a_fence_in_the_last_section_of_an_explanation_is_no_code() -> None:
    events, _ = split("## Edge cases\n```python\nf([])\n```\n", [], explains=True)

    assert [body for _, body, _ in events] == ["```python\nf([])\n```\n"]


def test_an_explanation_in_the_sections_of_the_format_keeps_them() -> None:
    events, _ = split(TRAINED.partition("## Code")[0], [], explains=True)

    assert [section for (_, _, section), _, _ in events] == [
        *(Section.INTENT, Section.STEPS, Section.FORMULAS, Section.EDGE_CASES)
    ]


def test_a_long_line_is_not_gone_through_for_each_piece() -> None:
    """Character by character a megabyte on one line, as some models get stuck in, took minutes."""

    class Long(str):
        __slots__ = ()
        __iter__ = None  # type: ignore[assignment]

    tags = ("</think>", "[/THINK]")
    assert lines.without_tag_prefix(Long("a < b <x> </thin"), tags) == "a < b <x> "
    assert lines.without_tag_prefix(Long("a [/THINK] b"), tags) == "a "
    assert lines.without_tag_prefix(Long("a < b"), tags) == "a < b"
    assert lines.without_tag_prefix(Long("a <"), ()) == "a <"
