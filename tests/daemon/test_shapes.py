"""The events of an answer, as clients of OpenAI and of llama-server read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.protocol import event
from assistant.daemon.shapes import Answer, ChatShape, NativeShape, Shape, TextShape, cost
from assistant.engine.types import Finished, FinishReason, PromptProgress, TokenProbability

END = Finished(FinishReason.STOP, 10, 4, 5, 30.0, 100.0, 1.5, 8, 6)
NONE = Finished(FinishReason.LENGTH, 10, 10, 0, 0.0, 0.0)
PROBABLE = (
    TokenProbability(7, b"a", -0.5, ((7, b"a", -0.5), (8, b"\xe2", -1.5))),
    TokenProbability(8, b"\xe2", float("-inf")),
)
SHAPES = [ChatShape("id", "m", 1), TextShape("id", "m", 1), NativeShape("m")]


def objects(data: bytes) -> list[dict[str, Any]]:
    lines = data.decode("ascii").split("\n\n")
    assert lines.pop() == ""
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def text_in(body: dict[str, Any]) -> str:
    if "choices" not in body:
        return str(body["content"])
    choice = body["choices"][0]
    return str(choice["delta"]["content"] if "delta" in choice else choice["text"])


@pytest.mark.parametrize("shape", SHAPES)
@given(text=st.text() | st.sampled_from(["a\u2028b\x85c\nd", "\ud800", '"\\{}']))
def test_any_text_arrives_in_one_line(shape: Shape, text: str) -> None:
    """Some clients end a line at U+2028 or U+0085."""
    data = shape.piece(text, "", ())

    (body,) = objects(data)
    assert text_in(body) == text
    assert len(data.decode().splitlines()) == 2


def test_the_quick_way_writes_what_the_long_way_would() -> None:
    """Nearly every event is put together from a prefix."""
    choice = {"index": 0, "finish_reason": None, "delta": {"content": "x"}}
    body = {"id": "id", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    assert ChatShape("id", "m", 1).piece("x", "", ()) == event(body | {"choices": [choice]})


def test_reasoning_has_a_field_of_its_own() -> None:
    shape = ChatShape("id", "m", 1)

    (both,) = objects(shape.piece("c", "r", ()))
    (alone,) = objects(shape.piece("", "r", ()))
    whole = shape.whole(Answer("c", "r", END))

    assert both["choices"][0]["delta"] == {"reasoning_content": "r", "content": "c"}
    assert alone["choices"][0]["delta"] == {"reasoning_content": "r"}
    message = {"role": "assistant", "content": "c", "reasoning_content": "r"}
    assert whole["choices"][0]["message"] == message


def test_the_end_tells_what_it_cost() -> None:
    (last,) = objects(ChatShape("id", "m", 1).last(END))

    assert last["choices"][0] == {"index": 0, "finish_reason": "stop", "delta": {}}
    assert last["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}
    assert last["timings"] == {
        "cache_n": 4,
        "prompt_n": 6,
        "prompt_ms": 30.0,
        "prompt_per_token_ms": 5.0,
        "prompt_per_second": 200.0,
        "predicted_n": 5,
        "predicted_ms": 100.0,
        "predicted_per_token_ms": 20.0,
        "predicted_per_second": 50.0,
        "queue_ms": 1.5,
        "draft_n": 8,
        "draft_n_accepted": 6,
    }
    assert cost(NONE)["timings"]["prompt_per_second"] == 0.0
    assert "draft_n" not in cost(NONE)["timings"]


@pytest.mark.parametrize("shape", [ChatShape("i", "m", 1, True), TextShape("i", "m", 1, True)])
def test_the_cost_comes_in_a_chunk_of_its_own_when_asked_for(shape: Shape) -> None:
    end, usage = objects(shape.last(END))

    assert "usage" not in end
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 15


def test_probabilities_in_the_shape_of_chats() -> None:
    (body,) = objects(ChatShape("id", "m", 1).piece("a", "", PROBABLE))
    first, second = body["choices"][0]["logprobs"]["content"]

    assert (first["token"], first["bytes"], first["logprob"]) == ("a", [97], -0.5)
    assert [entry["logprob"] for entry in first["top_logprobs"]] == [-0.5, -1.5]
    assert first["top_logprobs"][1]["bytes"] == [0xE2]
    # JSON has no infinity.
    assert second["logprob"] == -9999.0


def test_probabilities_in_the_shape_of_completions() -> None:
    """Offsets go on from piece to piece."""
    shape = TextShape("id", "m", 1)
    shape.piece("four", "", ())
    (body,) = objects(shape.piece("a", "", PROBABLE))
    found = body["choices"][0]["logprobs"]

    assert found["tokens"] == ["a", "\ufffd"]
    assert found["token_logprobs"] == [-0.5, -9999.0]
    assert found["top_logprobs"][0] == {"a": -0.5, "\ufffd": -1.5}
    assert found["text_offset"] == [4, 5]


def test_the_own_shape_of_llama_server() -> None:
    shape = NativeShape("m")
    stopped = Finished(FinishReason.STOP, 10, 4, 5, 30.0, 100.0, stop="END")

    assert objects(shape.piece("x", "", ())) == [{"index": 0, "stop": False, "content": "x"}]
    whole = shape.whole(Answer("x", "", stopped, PROBABLE))
    assert (whole["content"], whole["stop"], whole["tokens_predicted"]) == ("x", True, 5)
    assert (whole["stop_type"], whole["stopping_word"]) == ("word", "END")
    assert len(whole["completion_probabilities"]) == 2
    assert objects(shape.last(END))[0]["stop_type"] == "eos"
    assert objects(shape.last(NONE))[0]["stop_type"] == "limit"


@pytest.mark.parametrize("shape", SHAPES)
def test_progress_is_told(shape: Shape) -> None:
    (body,) = objects(shape.progress(PromptProgress(10, 2, 5)))

    assert body["prompt_progress"] == {"total": 10, "cache": 2, "processed": 5}
    assert objects(shape.opening())[0]


def test_reasons_are_those_of_the_dialect() -> None:
    reasons = [Finished(reason, 0, 0, 0, 0, 0).reason.value for reason in FinishReason]

    assert reasons == ["stop", "length", "cancelled"]
