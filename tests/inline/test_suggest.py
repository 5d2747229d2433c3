"""From a place to a suggestion, with real engines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from assistant.inline import Nothing, Outcome, Place, Suggestion, suggest
from assistant.models import store
from tests.support.engine_filler import EngineFiller
from tests.support.tiny_gguf import Tiny, write

MIDDLE, END = "<|fim_middle|>", "<|im_end|>"


def filler(folder: Path, *said: str, **more: object) -> tuple[EngineFiller, Engine]:
    """A model that says these texts, wherever it is asked, and then ends."""
    chain = dict(zip([MIDDLE, *said], [*said, END], strict=True)) | {"\n": said[0], " ": said[0]}
    spec = Tiny(chain=chain | more, words=[one for one in said if len(one) > 1])
    engine = Engine(write(folder / "said.gguf", spec), EngineSettings(threads=1))
    return EngineFiller(engine), engine


def ask(filler: EngineFiller, text: str, **more: str) -> Outcome:
    place = Place(text.replace("|", "", 1), text.index("|"), **more)
    return asyncio.run(suggest(place, filler))


def test_a_suggestion_and_what_it_cost(tmp_path: Path) -> None:
    made, engine = filler(tmp_path, "answer = 42")
    with engine:
        outcome = ask(made, "import os\n|\n", file_name="a.py")

    assert outcome.found == Suggestion(10, 10, "answer = 42")
    assert outcome.finished is not None
    assert outcome.finished.completion_tokens >= 1
    assert outcome.ttft_ms > 0
    (request,) = made.asked
    assert (request.prefix, request.typed, request.suffix) == ("", "import os\n", "\n")
    assert request.document == "" and request.file_name == "a.py"


def test_what_comes_behind_the_end_is_not_generated(tmp_path: Path) -> None:
    """A model that would go on for ever is stopped once the line is there."""
    made, engine = filler(tmp_path, "a = 1", "\n", **{"\n": "a = 1", "a = 1": "\n"})
    with engine:
        outcome = ask(made, "|")

    assert outcome.found == Suggestion(0, 0, "a = 1")
    assert outcome.finished.reason == "cancelled"
    assert outcome.finished.completion_tokens < 10


def test_nobody_is_asked_in_vain(tmp_path: Path) -> None:
    made, engine = filler(tmp_path, "x")
    with engine:
        outcome = ask(made, "fo|o")

    assert outcome == Outcome(Nothing("the cursor is inside of a word"))
    assert made.asked == []


def test_the_limit_of_tokens_costs_what_it_cut(tmp_path: Path) -> None:
    made, engine = filler(tmp_path, "a + ", **{"a + ": "a + "})
    with engine:
        outcome = ask(made, "|\n")

    assert outcome.found == Nothing("the line did not come to an end")
    assert outcome.finished.reason == "length"


def test_the_end_of_a_word_is_healed(tmp_path: Path) -> None:
    """`ret` and `urn` are no tokens that a model knows side by side; `return` is one."""
    made, engine = filler(tmp_path, "return x")
    with engine:
        outcome = ask(made, "def f(x):\n    ret|\n")

    assert outcome.found == Suggestion(17, 17, "urn x")


def test_cancelling_the_task_cancels_the_request(tmp_path: Path) -> None:
    made, engine = filler(tmp_path, "a(", **{"a(": "a("})

    async def scenario() -> None:
        task = asyncio.create_task(suggest(Place("", 0), made))
        while not made._running:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with engine:
        asyncio.run(scenario())
        # The engine serves the next one.
        assert ask(made, "x = 1\n|").finished is not None


def test_who_was_replaced_is_told_so(tmp_path: Path) -> None:
    """The daemon ended it for a newer request: what had come so far is not shown."""
    made, engine = filler(tmp_path, "a(", **{"a(": "a("})

    async def scenario() -> Outcome:
        task = asyncio.create_task(suggest(Place("", 0), made))
        while not made._running:
            await asyncio.sleep(0)
        await made.cancel(*made._running)
        return await task

    with engine:
        assert asyncio.run(scenario()).found == Nothing("a newer request took its place")


@pytest.fixture(scope="module")
def starter() -> Iterator[EngineFiller]:
    if not store.embedded_path().exists():
        pytest.skip("the embedded model is not in this tree: make starter")
    with Engine(store.embedded_path(), EngineSettings(threads=1)) as engine:
        yield EngineFiller(engine)


POSITIVES = "def positives(values):\n    return [v for v in values if v > 0]\n"


def test_the_embedded_model_completes_and_typing_costs_few_tokens(starter: EngineFiller) -> None:
    """Each letter evaluates what stands behind the anchor, and no more."""
    head, evaluated = "import os\n\n\n" * 20, []
    text = head + POSITIVES
    shown = 0
    for end in range(len(head) + 30, len(text) - 2):
        outcome = asyncio.run(suggest(Place(text[:end] + "\n\n\nx = 1\n", end), starter))
        if outcome.finished is not None:
            evaluated.append(outcome.finished.prompt_tokens - outcome.finished.cached_tokens)
        if isinstance(outcome.found, Suggestion):
            shown += 1
            assert outcome.found.text.strip()

    assert shown > 3
    # The first one reads all of it.
    assert max(evaluated[1:]) < 30 < evaluated[0]
