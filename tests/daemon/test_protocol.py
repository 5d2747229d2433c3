"""Whatever a client sends is a request, or is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.protocol import error_body, event, parse_chat, parse_text
from assistant.engine.types import Finished, FinishReason, Forced, Message
from assistant.errors import RequestProblem

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = ["messages", "prompt", "suffix", "stop", "forced", "temperature", "top_p", "top_k"]
names += ["seed", "max_tokens", "stream", "return_progress", "model", "role", "content"]
bodies = st.dictionaries(st.sampled_from(names), anything)


@pytest.mark.parametrize("parse", [parse_chat, parse_text])
@given(body=bodies | anything)
def test_any_json_is_read_or_refused(parse: Callable[[bytes], object], body: object) -> None:
    try:
        parse(json.dumps(body).encode())
    except RequestProblem as problem:
        json.dumps(error_body(problem, 400), ensure_ascii=False).encode()


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_chat(data)
    except RequestProblem as problem:
        assert problem.message


def test_a_full_request_is_read() -> None:
    body = {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            }
        ],
        "max_tokens": 5,
        "temperature": 1,
        "top_k": 0,
        "seed": 2**63,
        "stop": "x",
        "forced": [{"after": "a", "text": "b"}],
        "stream": True,
        "return_progress": True,
        "model": "m",
        "unknown": {"is": "ignored"},
    }

    request = parse_chat(json.dumps(body).encode())

    common = request.common
    assert request.messages == (Message("user", "ab"),)
    assert (common.limits.max_tokens, common.limits.stop) == (5, ("x",))
    assert common.limits.forced == (Forced("a", "b"),)
    assert (common.sampling.temperature, common.sampling.top_k) == (1.0, 0)
    assert (common.stream, common.progress, common.model) == (True, True, "m")


def test_without_settings_it_is_greedy() -> None:
    common = parse_chat(b'{"messages": []}').common

    assert common.sampling.temperature == 0
    assert common.limits.max_tokens is None
    assert not common.stream


def test_an_event_is_one_line_for_every_client() -> None:
    """Some end a line at U+2028 or U+0085."""
    text = event({"text": "a\u2028b\x85c\nd"})

    assert text.rstrip("\n").splitlines() == [text.rstrip("\n")]
    assert json.loads(text.removeprefix("data: ")) == {"text": "a\u2028b\x85c\nd"}


def test_reasons_are_those_of_the_dialect() -> None:
    reasons = [Finished(reason, 0, 0, 0, 0, 0).reason.value for reason in FinishReason]

    assert reasons == ["stop", "length", "cancelled"]


def test_a_number_beyond_all_floats_is_refused() -> None:
    with pytest.raises(RequestProblem, match="'temperature' is inf"):
        parse_chat(b'{"messages": [], "temperature": ' + b"9" * 400 + b"}")
