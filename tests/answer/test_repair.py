"""An answer that fails its check is written again, and never lost by that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from assistant.answer import AnswerOptions, PromptProgress, answer
from assistant.checks.result import CheckResult
from assistant.client import ChatRequest, Chunk, Delta, ModelInfo
from assistant.errors import AssistantError, DaemonProblem
from assistant.events import Code, Done, Failed, Outcome, Reasoning, Verdict
from assistant.generation import SAMPLING_TEMPERATURE, seed_of
from assistant.tasks import Task, TaskKind, messages
from tests.answer.scripted import FOREIGN, TRAINED, Scripted, code_of, saying

TASK = Task("one", TaskKind.FIX, code="x = 0\n")


class Turns(Scripted):
    """Answers the n-th request with the n-th code; an exception is raised after some text."""

    def __init__(self, *codes: str | Exception, info: ModelInfo = TRAINED) -> None:
        super().__init__([], info)
        self.codes = codes

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        self.closed = False
        code = self.codes[len(self.requests) - 1]
        try:
            yield Delta("## Intent\nGo.\n")
            if isinstance(code, Exception):
                raise code
            for chunk in saying(f"## Code\n```python\n{code}```" if code else "No."):
                assert not isinstance(chunk, BaseException)
                yield chunk
        finally:
            self.closed = True


def judge(source: str, stop: threading.Event) -> CheckResult:
    """Code says itself what becomes of it: `pass`, `wrong`, ... in a comment."""
    outcome = Outcome(source.partition("# ")[2].strip() or "pass")
    return CheckResult(outcome, "none", f"found in {source.strip()}")


async def events_of(connection: Turns, task: Task = TASK, **options: object):
    given = AnswerOptions(**{"repairs": 1, "judge": judge} | options)  # type: ignore[arg-type]
    events = [event async for event in answer(task, connection, given)]
    assert [event for event in events if isinstance(event, Done | Failed)] == [events[-1]]
    if isinstance(events[-1], Done):
        assert isinstance(events[-2], Verdict)
        assert events[-2].candidate == events[-1].candidate
    return events


def verdicts(events) -> list[tuple[int, str]]:
    return [(e.candidate, e.outcome.value) for e in events if isinstance(e, Verdict)]


async def test_what_passes_is_not_written_again():
    for code in ("a\n", "a # parsed\n", "a # not checked\n", "a # sandbox unavailable\n"):
        connection = Turns(code, "b\n")
        events = await events_of(connection)

        assert len(connection.requests) == 1
        assert events[-2].detail == f"found in {code.strip()}"


async def test_a_failure_is_told_and_the_next_answer_takes_its_place():
    connection = Turns("a # wrong\n", "b\n")
    events = await events_of(connection)

    assert verdicts(events) == [(0, "wrong"), (1, "pass")]
    assert events[-1].candidate == 1
    assert code_of(events, 1) == "b\n"
    assert events[-2].detail == (
        "found in b; second attempt; the first failed: wrong: found in a # wrong"
    )
    texts = [event for event in events if isinstance(event, Reasoning | Code)]
    assert [event.replaces for event in texts if event.candidate == 1] == [0, None]
    assert not any(event.replaces is not None for event in texts if event.candidate == 0)
    assert events.index(texts[-1]) > events.index(next(e for e in events if type(e) is Verdict))
    told = [event for event in events if isinstance(event, PromptProgress)]
    assert [(one.attempt, one.of) for one in told] == [(2, 2)]


@pytest.mark.parametrize(
    ("first", "second", "best", "told"),
    [
        ("wrong", "wrong", 0, "first attempt; the second failed: wrong: found in b # wrong"),
        ("wrong", "error", 0, "first attempt; the second failed: error"),
        ("error", "wrong", 1, "second attempt; the first failed: error"),
        ("timeout", "parsed", 1, "second attempt; the first failed: timeout"),
    ],
)
async def test_the_better_one_is_used_and_of_equals_the_first(first, second, best, told):
    connection = Turns(f"a # {first}\n", f"b # {second}\n", "c # pass\n")
    events = await events_of(connection)

    assert len(connection.requests) == 2
    assert events[-1].candidate == best
    assert told in events[-2].detail
    assert set(verdicts(events)) == {(0, first), (1, second)}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("", "the second came to nothing: The model wrote no code"),
        ("a # wrong\n", "the second came to nothing: The same code came again"),
        (DaemonProblem("It died.", hint="Ask again."), "the second came to nothing: It died"),
        (ValueError("surprise"), "the second came to nothing: Unexpected ValueError"),
    ],
)
async def test_a_second_attempt_that_fails_loses_nothing(second: str | Exception, told: str):
    connection = Turns("a # wrong\n", second)
    events = await events_of(connection)

    assert events[-1].candidate == 0
    assert code_of(events, 0) == "a # wrong\n"
    assert events[-2].detail == f"found in a # wrong; first attempt; {told}"
    assert connection.closed


async def test_a_check_that_breaks_in_the_second_attempt_loses_nothing():
    def broken(source: str, stop: threading.Event) -> CheckResult:
        if source.startswith("b"):
            raise AssistantError("No check.")
        return judge(source, stop)

    events = await events_of(Turns("a # wrong\n", "b\n"), judge=broken)

    assert events[-1].candidate == 0
    assert "came to nothing: No check" in events[-2].detail


async def test_a_first_answer_without_code_is_a_failure():
    events = await events_of(Turns("", "b\n"))

    assert isinstance(events[-1], Failed)
    assert "wrote no code" in events[-1].reason


async def test_as_often_as_allowed_and_no_longer_than_needed():
    codes = ("a # wrong\n", "b # wrong\n", "c # parsed\n", "d\n")
    connection = Turns(*codes)
    events = await events_of(connection, repairs=3)

    assert len(connection.requests) == 3
    assert verdicts(events) == [(0, "wrong"), (1, "wrong"), (2, "parsed")]
    assert "third attempt; the first failed" in events[-2].detail
    for options in ({"repairs": 0}, {"verify": False}):
        connection = Turns(*codes)
        await events_of(connection, **options)
        assert len(connection.requests) == 1


class TestRequest:
    """What is sent for the second attempt."""

    async def test_a_model_trained_here_is_drawn_from_once_more(self):
        connection = Turns("a # wrong\n", "b\n")
        await events_of(connection, seed=3)
        first, second = connection.requests

        assert second.messages == first.messages == messages(TASK, trained_format=True)
        assert (first.temperature, first.seed) == (0.0, 3)
        assert (second.temperature, second.seed) == (SAMPLING_TEMPERATURE, seed_of(3, 2))

    async def test_another_model_is_told_its_answer_and_what_was_found(self):
        connection = Turns("a # wrong\n", "b # error\n", "c\n", info=FOREIGN)
        await events_of(connection, repairs=2)
        first, second, third = connection.requests

        assert first.messages == messages(TASK, trained_format=False)
        for request, code in ((second, "a # wrong"), (third, "b # error")):
            assert request.messages[:-2] == first.messages
            answered, told = request.messages[-2:]
            assert answered["content"] == f"## Code\n```python\n{code}\n```"
            assert f"{code.partition('# ')[2]}: found in {code}" in told["content"]
            assert (request.temperature, request.top_p) == (0.0, None)


class TestCancelling:
    """At any point of either attempt."""

    @pytest.mark.parametrize("after", range(1, 9))
    async def test_closing_at_any_event_closes_the_stream(self, after: int):
        connection = Turns("a # wrong\n", "b # error\n")
        options = AnswerOptions(repairs=1, judge=judge)
        events = answer(TASK, connection, options)
        for _ in range(after):
            await anext(events)
        await events.aclose()

        assert connection.closed

    @pytest.mark.parametrize("slow", ["a", "b"])
    async def test_a_check_that_runs_is_told_to_stop(self, slow: str):
        running, ended = threading.Event(), threading.Event()

        def waiting(source: str, stop: threading.Event) -> CheckResult:
            if source.startswith(slow):
                running.set()
                stop.wait()
                ended.set()
            return judge(source, stop)

        task = asyncio.create_task(events_of(Turns("a # wrong\n", "b\n"), judge=waiting))
        await asyncio.to_thread(running.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.get_running_loop().shutdown_default_executor()

        assert ended.is_set()
