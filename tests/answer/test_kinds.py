"""Kinds of tasks through `answer`: explanations, and code that has a place of its own."""

from __future__ import annotations

import threading

import pytest

from assistant.checks.result import CheckResult
from assistant.events import Code, Done, Failed, Outcome, Reasoning, Section, Verdict
from assistant.sandbox import layers
from assistant.tasks import Task, TaskKind
from tests.answer.scripted import (
    FOREIGN,
    TEXT,
    TRAINED,
    Scripted,
    assert_contract,
    collect,
    reasoning_of,
    saying,
)

real = pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")
EXPLAIN = Task("", TaskKind.EXPLAIN, code="def add(a, b):\n    return a + b\n")
WORDS = "It adds:\n\n```python\nreturn a + b\n```\nimport nothing.\n"


class TestExplain:
    """Words and no code."""

    async def test_the_words_and_the_code_they_quote_are_reasoning(self):
        events = await collect(Scripted(saying(WORDS), FOREIGN), EXPLAIN, repairs=1)

        assert_contract(events)
        assert reasoning_of(events) == WORDS
        assert {e.section for e in events if isinstance(e, Reasoning)} == {Section.EXPLANATION}
        assert not any(isinstance(event, Code) for event in events)
        assert events[-2:-1] == [
            Verdict(0, Outcome.NOT_CHECKED, "none", "an explanation is not checked")
        ]
        assert isinstance(events[-1], Done)

    async def test_a_model_trained_here_explains_in_its_sections_and_stops_before_the_code(self):
        connection = Scripted(saying(TEXT.partition("## Code")[0]), TRAINED)
        events = await collect(connection, EXPLAIN)
        (request,) = connection.requests

        assert isinstance(events[-1], Done)
        assert request.stop == ("## Code\n```",)
        assert not request.forced

    async def test_several_are_not_asked_for(self):
        connection = Scripted(saying(WORDS), FOREIGN)
        events = await collect(connection, EXPLAIN, candidates=3)

        assert len(connection.requests) == 1
        assert isinstance(events[-1], Done)

    @pytest.mark.parametrize(
        ("text", "end", "reason"),
        [
            ("", "stop", "explained nothing"),
            ("<think>\nHm.\n</think>\n", "stop", "explained nothing"),
            ("<think>\nHm.", "length", "limit of 7 tokens before any explanation"),
            (WORDS, "cancelled", "cancelled"),
        ],
    )
    async def test_thinking_alone_is_no_explanation(self, text: str, end: str, reason: str):
        events = await collect(Scripted(saying(text, reason=end), FOREIGN), EXPLAIN)

        assert_contract(events)
        assert isinstance(events[-1], Failed)
        assert reason in events[-1].reason

    async def test_one_that_was_cut_off_says_so(self):
        events = await collect(Scripted(saying(WORDS, reason="length"), FOREIGN), EXPLAIN)

        assert "cut off at its limit of 7 tokens" in events[-2].detail


class TestJudge:
    """The caller's own check, for code that has a place in a file."""

    async def test_it_is_asked_in_place_of_the_usual_checks(self):
        asked: list[tuple[str, bool]] = []

        def judge(source: str, stop: threading.Event) -> CheckResult:
            asked.append((source, stop.is_set()))
            return CheckResult(Outcome.PASS, "bubblewrap", "in its place")

        text = "## Code\n```python\nreturn (\n```"
        events = await collect(Scripted(saying(text, reason="length")), judge=judge)

        assert asked == [("return (\n", False)]
        assert (events[-2].outcome, events[-2].layer) == (Outcome.PASS, "bubblewrap")
        assert events[-2].detail.startswith("in its place; the answer was cut off")

    async def test_it_is_not_asked_when_checks_are_switched_off(self):
        def judge(source: str, stop: threading.Event) -> CheckResult:
            raise AssertionError

        events = await collect(Scripted(saying(TEXT)), judge=judge, verify=False)

        assert events[-2].outcome is Outcome.NOT_CHECKED


@pytest.mark.parametrize(
    ("kind", "code", "outcome"),
    [
        # A name that the given code uses is one of its file.
        (TaskKind.FIX, "def f():\n    return helper(TAX)\n", Outcome.PARSED),
        (TaskKind.FIX, "def f():\n    return invented\n", Outcome.ERROR),
        # Tests name what they test without importing it.
        (TaskKind.TESTS, "def test_f():\n    assert f() == 2\n", Outcome.PARSED),
    ],
)
async def test_names_of_the_given_code_are_known(kind: TaskKind, code: str, outcome: Outcome):
    task = Task("wrong", kind, code="def f():\n    return helper(TAX)")
    events = await collect(Scripted(saying(f"## Code\n```python\n{code}```")), task)

    assert events[-2].outcome is outcome


@real
async def test_what_a_diagnostic_says_is_no_example():
    code = "def f(a):\n    return a\n"
    found = [
        (await collect(Scripted(saying(f"## Code\n```python\n{code}```")), task))[-2].outcome
        for task in (Task("f(1) == 2"), Task("f(1) == 2", TaskKind.FIX, code=code))
    ]

    assert found == [Outcome.WRONG, Outcome.PARSED]


async def test_other_languages_are_asked_for_in_their_own_fence():
    task = Task("wrong", TaskKind.FIX, "rust", "fn f() -> i32 { 0 }")
    connection = Scripted(saying("## Code\n```rust\nfn f() -> i32 { 1 }\n```"))
    events = await collect(connection, task)

    assert "```rust\nfn f() -> i32 { 0 }\n```" in connection.requests[0].messages[0]["content"]
    assert [event.text for event in events if isinstance(event, Code)] == ["fn f() -> i32 { 1 }\n"]
