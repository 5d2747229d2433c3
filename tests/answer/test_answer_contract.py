"""The promise of `answer`: whatever the model and the connection do, one terminal event, last."""

from __future__ import annotations

import asyncio
import itertools
import time

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assistant.answer import AnswerOptions, PromptProgress, answer, names_given
from assistant.checks.testfile import parse_tests
from assistant.client import Delta, Finished, Progress
from assistant.errors import DaemonProblem, RequestProblem
from assistant.events import Code, Done, Failed, Outcome, Reasoning, Section, Verdict
from assistant.sandbox import layers
from assistant.tasks import Task, TaskKind
from tests.answer.scripted import (
    CODE,
    FOREIGN,
    REASONING,
    TEXT,
    TRAINED,
    Scripted,
    assert_contract,
    code_of,
    collect,
    reasoning_of,
    saying,
)

LAYER = layers()[0].value if layers() else "none"
real = pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")


@given(st.lists(st.integers(0, len(TEXT)), max_size=6))
@example(list(range(len(TEXT))))
def test_the_events_do_not_depend_on_where_the_text_was_cut(cuts: list[int]):
    edges = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[a:b] for a, b in itertools.pairwise(edges)]

    events = asyncio.run(collect(Scripted(saying(*pieces))))

    assert_contract(events)
    assert code_of(events) == CODE
    assert reasoning_of(events) == "".join(REASONING.values())
    assert isinstance(events[-1], Done)


@given(st.integers(0, len(TEXT)))
def test_an_answer_may_break_off_anywhere(position: int):
    """The text so far came through; the reason is the error's own."""
    broken = DaemonProblem("The engine daemon died.", hint="Ask again.")
    connection = Scripted([Delta(TEXT[:position]), broken])

    events = asyncio.run(collect(connection))

    assert_contract(events)
    assert events[-1] == Failed(0, "The engine daemon died.\nAsk again.")
    assert CODE.startswith(code_of(events))
    assert connection.closed


@given(st.text(max_size=80), st.sampled_from(["stop", "length", "cancelled", "whatever"]))
@example("", "stop")
@example("## Code\n```python\n```", "stop")
@example("<think>endless", "length")
def test_any_text_ends_in_exactly_one_terminal_event(text: str, reason: str):
    events = asyncio.run(collect(Scripted(saying(text, reason=reason))))

    assert_contract(events)
    assert isinstance(events[-1], Done) == bool(
        code_of(events, events[-1].candidate).strip() and reason != "cancelled"
    )


async def test_the_order_is_progress_reasoning_code_verdict_done():
    pieces = [Progress(9, 2, 4), *saying(TEXT)]
    events = await collect(Scripted(pieces))

    kinds = [type(event) for event in events]
    order = [PromptProgress, Reasoning, Code, Verdict, Done]
    assert [kind for kind, _ in zip_changes(kinds)] == order
    assert events[0] == PromptProgress(total=9, cached=2, processed=4)


def zip_changes(kinds):
    previous = None
    for kind in kinds:
        if kind is not previous:
            yield kind, previous
        previous = kind


@pytest.mark.parametrize(
    ("pieces", "info", "reason"),
    [
        ([RequestProblem("9 tokens, and 8 fit.", hint="Shorten it.")], TRAINED, "9 tokens"),
        ([ValueError("surprise")], TRAINED, "Unexpected ValueError: surprise"),
        ([], DaemonProblem("gone"), "gone"),
        ([], TRAINED, "wrote no code"),
        (saying("Only prose.\n"), FOREIGN, "wrote no code"),
        (saying("## Steps\n1. A", reason="length"), TRAINED, "limit of 7 tokens before any code"),
        (saying(TEXT, reason="cancelled"), TRAINED, "cancelled"),
    ],
)
async def test_what_goes_wrong_is_the_reason_of_the_last_event(pieces, info, reason: str):
    events = await collect(Scripted(pieces, info))

    assert_contract(events)
    assert isinstance(events[-1], Failed)
    assert reason in events[-1].reason


class TestClosing:
    """Closing the generator closes the stream, at whatever event."""

    @pytest.mark.parametrize("after", [1, 3, 5])
    async def test_closing_early_closes_the_stream(self, after: int):
        connection = Scripted(saying(*TEXT))
        events = answer(Task("add two numbers"), connection, AnswerOptions())
        for _ in range(after):
            await anext(events)
        assert not connection.closed

        await events.aclose()

        assert connection.closed

    async def test_cancelling_the_task_closes_the_stream(self):
        class Waiting(Scripted):
            async def stream_chat(self, request):
                try:
                    yield Delta("## Intent\nWait.\n")
                    reached.set()
                    await asyncio.Event().wait()
                finally:
                    self.closed = True

        reached = asyncio.Event()
        connection = Waiting([])
        running = asyncio.create_task(collect(connection))
        await reached.wait()
        running.cancel()

        with pytest.raises(asyncio.CancelledError):
            await running
        assert connection.closed

    @real
    async def test_cancelling_ends_a_check_that_runs(self):
        """The processes of the tests do not outlive the request."""
        us = psutil.Process()
        before = set(us.children(recursive=True))
        tests = parse_tests("import time\ntime.sleep(60)\nassert True")
        running = asyncio.create_task(collect(Scripted(saying(TEXT)), tests=tests))
        while len(set(us.children(recursive=True)) - before) < 2:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.get_running_loop().shutdown_default_executor()

        assert time.monotonic() - began < 5
        assert set(us.children(recursive=True)) <= before


@real
class TestVerdict:
    """The final candidate is checked, and only it."""

    @pytest.mark.parametrize(
        ("options", "outcome", "layer"),
        [
            ({}, Outcome.PARSED, "none"),
            ({"tests": parse_tests("assert add(1, 2) == 3")}, Outcome.PASS, LAYER),
            ({"tests": parse_tests("assert add(1, 2) == 4")}, Outcome.WRONG, LAYER),
            ({"verify": False}, Outcome.NOT_CHECKED, "none"),
        ],
    )
    async def test_what_the_options_ask_for(self, options, outcome: Outcome, layer: str):
        verdict = (await collect(Scripted(saying(TEXT)), **options))[-2]

        assert isinstance(verdict, Verdict)
        assert (verdict.outcome, verdict.layer) == (outcome, layer)

    async def test_code_that_was_cut_off_says_so(self):
        events = await collect(Scripted(saying(TEXT[:-20], reason="length")))

        assert "cut off at its limit of 7 tokens" in events[-2].detail

    async def test_a_draft_is_replaced_and_the_last_candidate_counts(self):
        text = "<think>\n```python\nx = (\n```\n</think>\n## Code\n```python\nx = 1\n```\n"
        events = await collect(Scripted(saying(text), FOREIGN))

        assert_contract(events)
        done = events[-1]
        assert isinstance(done, Done)
        assert code_of(events, done.candidate) == "x = 1\n"
        assert events[-2].outcome is Outcome.PARSED

    @pytest.mark.parametrize(
        ("known", "request_text", "outcome"),
        [
            (frozenset(), "add", Outcome.ERROR),
            (frozenset({"helper"}), "add", Outcome.PARSED),
            (frozenset(), "add, with our `helper(x)`", Outcome.PARSED),
        ],
    )
    async def test_names_of_the_surroundings_are_known(self, known, request_text, outcome):
        text = "## Code\n```python\ndef add(a): return helper(a)\n```"
        events = await collect(Scripted(saying(text)), Task(request_text), known_names=known)

        assert events[-2].outcome is outcome


class TestRequest:
    """What is sent depends on whether the model was trained on the format."""

    async def test_a_trained_model_gets_the_words_alone_and_continues_the_signature(self):
        connection = Scripted(saying(TEXT))
        await collect(connection, Task("write `def add(a, b):`"), max_tokens=9, seed=3)
        (request,) = connection.requests

        assert [message["role"] for message in request.messages] == ["user"]
        assert request.messages[0]["content"] == "write `def add(a, b):`"
        (forced,) = request.forced
        assert (forced.after, forced.text) == ("## Code\n```python\n", "def add(a, b):\n")
        assert (request.max_tokens, request.temperature, request.seed) == (9, 0.0, 3)

    async def test_a_stub_forces_its_own_definition(self):
        connection = Scripted(saying(TEXT))
        stub = 'def add(a, b):\n    """Add."""\n'
        await collect(connection, Task(stub, TaskKind.IMPLEMENT))

        assert connection.requests[0].forced[0].text == "def add(a, b):\n"

    async def test_another_model_is_told_the_sections_and_nothing_is_forced(self):
        connection = Scripted(saying(TEXT), FOREIGN)
        await collect(connection, Task("write `def add(a, b):`"))
        (request,) = connection.requests

        assert request.messages[0]["role"] == "system"
        assert "## Edge cases" in request.messages[0]["content"]
        assert not request.forced


async def test_separate_reasoning_is_reasoning_of_no_section():
    pieces = [Delta("hmm", "reasoning"), *saying("```python\nx = 1\n```")]
    events = await collect(Scripted(pieces, FOREIGN))

    assert events[0] == Reasoning(0, Section.OTHER, "hmm")
    assert code_of(events) == "x = 1\n"


async def test_the_numbers_of_done_are_the_servers_where_it_tells_them():
    end = Finished("stop", 50, 40, 30, tokens_per_second=12.5)
    events = await collect(Scripted([Delta(TEXT), end]))

    stats = events[-1].stats
    assert (stats.prompt_tokens, stats.cached_tokens, stats.completion_tokens) == (50, 40, 30)
    assert stats.tokens_per_second == 12.5
    assert stats.ttft_ms > 0


def test_names_in_backticks_are_given_but_those_of_the_signature_are_not():
    assert names_given("use `db.fetch` and ```\nCACHE = {}\n``` not this") == {
        *("db", "fetch", "CACHE"),
    }
    assert names_given("write `def f(n):`, calling `g`") == {"g"}
