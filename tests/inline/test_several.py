"""Up to three suggestions, with real engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from assistant.client.types import Chunk, Delta, FillRequest, Finished
from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from assistant.errors import ModelProblem
from assistant.inline import Manner, Nothing, Outcome, Place, Request, Suggestion, request_for
from assistant.inline.several import CANDIDATES, different, several
from assistant.models import store
from tests.support.engine_filler import EngineFiller


def ask(filler: object, text: str, **more: object) -> list[Outcome]:
    place = Place(text.replace("|", "", 1), text.index("|"))
    request = request_for(place, block=True)
    assert isinstance(request, Request)
    return asyncio.run(several(place, filler, request, **more))  # type: ignore[arg-type]


class Answering:
    """Says what a function says to a request."""

    def __init__(self, says) -> None:
        self.says, self.asked, self.cancelled = says, [], 0

    async def stream_fill(
        self, request: FillRequest, *, request_id: str = ""
    ) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        try:
            text = self.says(request)
            if text is None:
                await asyncio.Event().wait()
            yield Delta(text)
            yield Finished("stop")
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def cancel(self, request_id: str) -> None:
        raise AssertionError("nothing to cancel")


def test_the_first_is_greedy_and_the_others_follow_from_the_text() -> None:
    filler = Answering(lambda request: f"{request.seed or 0}")
    first = ask(filler, "x = |", manner=Manner(client="editor"))
    asked = list(filler.asked)
    again = ask(filler, "x = |")
    elsewhere = ask(filler, "y = |")

    assert [request.temperature > 0 for request in asked] == [False, True, True]
    assert [request.seed is None for request in asked] == [True, False, False]
    # A newer request of the same source would take the place of an older one.
    assert {request.client for request in asked} == {""}
    assert different(first) == different(again)
    assert len(different(first)) == CANDIDATES
    assert different(first)[1:] != different(elsewhere)[1:]


def test_the_same_suggestion_is_shown_once() -> None:
    filler = Answering(lambda request: "1")

    assert different(ask(filler, "x = |")) == (Suggestion(4, 4, "1"),)


def test_what_does_not_come_in_time_is_not_waited_for() -> None:
    filler = Answering(lambda request: None if request.seed else "1")

    outcomes = ask(filler, "x = |", within=0.01)

    assert different(outcomes) == (Suggestion(4, 4, "1"),)
    assert filler.cancelled == CANDIDATES - 1


def test_the_reason_for_none_is_that_of_the_first() -> None:
    assert different(ask(Answering(lambda request: ""), "x = |")) == Nothing(
        "the model adds nothing here"
    )
    nothing = different(ask(Answering(lambda request: None), "x = |", within=0.01))
    assert isinstance(nothing, Nothing)
    assert nothing.passing


def test_a_model_that_can_not_says_so() -> None:
    def refuse(request: FillRequest) -> str:
        raise ModelProblem("no such tokens")

    with pytest.raises(ModelProblem):
        ask(Answering(refuse), "x = |")


def test_cancelling_cancels_them_all() -> None:
    filler = Answering(lambda request: None)
    place = Place("x = ", 4)
    request = request_for(place)
    assert isinstance(request, Request)

    async def scenario() -> None:
        task = asyncio.create_task(several(place, filler, request))
        while len(filler.asked) < CANDIDATES:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert filler.cancelled == CANDIDATES


def test_the_embedded_model_has_more_than_one_idea() -> None:
    if not store.embedded_path().exists():
        pytest.skip("the embedded model is not in this tree: make starter")
    with Engine(store.embedded_path(), EngineSettings(threads=1)) as engine:
        outcomes = ask(EngineFiller(engine), "import os\n\n\ndef positives(values):\n    |\n")

    found = different(outcomes)
    assert isinstance(found, tuple)
    assert 1 < len(found) <= CANDIDATES
