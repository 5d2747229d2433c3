"""Whatever a client sends is a request, or is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.daemon.controls import MAX_GRAMMAR_BYTES, Controls
from assistant.daemon.protocol import error_body
from assistant.daemon.requests import (
    ExtraFile,
    FillRequest,
    TextRequest,
    parse_chat,
    parse_detokenize,
    parse_fill,
    parse_text,
    parse_tokenize,
)
from assistant.engine.types import Forced, Limits, Message, Priority, Sampling
from assistant.errors import RequestProblem

PARSERS = [parse_chat, parse_text, parse_fill, parse_tokenize]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = """messages prompt suffix input_prefix input_suffix input_extra filename repository stop
forced temperature top_k top_p min_p seed repeat_penalty frequency_penalty presence_penalty
repeat_last_n n_predict max_tokens max_completion_tokens stream stream_options return_progress
model n best_of echo logprobs top_logprobs n_probs grammar json_schema response_format tools
functions reasoning_budget reasoning_format priority source user lookup t_max_predict_ms content
add_special parse_special with_pieces role text ignore_eos logit_bias"""
NAMES = FIELDS.split()
bodies = st.dictionaries(st.sampled_from(NAMES), anything)


def controls(**fields: Any) -> Controls:
    return parse_chat(json.dumps({"messages": [], **fields}).encode()).controls


def refused(parse: Callable[[bytes], object] = parse_chat, **fields: Any) -> str:
    with pytest.raises(RequestProblem) as problem:
        parse(json.dumps({"messages": [], **fields}).encode())
    return problem.value.message


@pytest.mark.parametrize("parse", PARSERS)
@given(body=bodies | anything)
def test_any_json_is_read_or_refused(parse: Callable[[bytes], object], body: object) -> None:
    try:
        parse(json.dumps(body).encode())
    except RequestProblem as problem:
        json.dumps(error_body(problem, 400), ensure_ascii=False).encode()


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary())
def test_any_bytes_are_read_or_refused(parse: Callable[[bytes], object], data: bytes) -> None:
    try:
        parse(data)
    except RequestProblem as problem:
        assert problem.message


@pytest.mark.parametrize("depth", [900, 990, 995, 1000, 100_000])
@pytest.mark.parametrize("field", ["temperature", "messages", "stop", "json_schema", "lookup"])
def test_a_deeply_nested_field_is_refused(depth: int, field: str) -> None:
    """Python can read deeper than it can print; the message must not try."""
    for opening, closing in ("[]", ('{"a":', "}")):
        inner = opening * depth + "1" + closing * depth
        if (field, opening) == ("json_schema", '{"a":'):
            continue  # it may be read; what it means is found out by the engine
        with pytest.raises(RequestProblem):
            parse_chat(f'{{"messages": [], "{field}": {inner}}}'.encode())


def test_a_full_request_is_read() -> None:
    body = {
        "messages": [
            {"role": "developer", "content": "be brief"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
        ],
        "max_completion_tokens": 5,
        "temperature": 1,
        "top_k": 0,
        "top_p": 0.5,
        "min_p": 0.05,
        "seed": 2**63,
        "repeat_penalty": 1.1,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "repeat_last_n": 128,
        "stop": "x",
        "forced": [{"after": "a", "text": "b"}],
        "grammar": "root ::= 'a'",
        "logprobs": True,
        "top_logprobs": 3,
        "t_max_predict_ms": 250,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "model": "m",
        "reasoning_budget": 100,
        "reasoning_format": "none",
        "priority": "background",
        "source": {"client": "vim", "document": "a.py"},
        "lookup": ["some text"],
        "n": 1,
        "cache_prompt": True,
        "id_slot": 3,
        "timings_per_token": True,
        "unknown": {"is": "ignored"},
    }

    request = parse_chat(json.dumps(body).encode())

    assert request.messages == (Message("system", "be brief"), Message("user", "ab"))
    assert request.controls == Controls(
        Sampling(1.0, 0, 0.5, 0.05, 2**63, 1.1, 0.5, -0.5, 128),
        Limits(
            max_tokens=5,
            stop=("x",),
            forced=(Forced("a", "b"),),
            grammar="root ::= 'a'",
            logprobs=3,
            ignore_end=True,
            line_ms=250,
        ),
        stream=True,
        progress=True,
        usage=True,
        model="m",
        split=False,
        reasoning_budget=100,
        priority=Priority.BACKGROUND,
        client="vim",
        document="a.py",
        lookup=("some text",),
    )
    assert request.controls.source == "vim\na.py"


def test_without_settings_it_is_greedy_and_split() -> None:
    plain = controls()

    assert plain == Controls(Sampling(), Limits(), split=True)
    assert plain.sampling.temperature == 0
    assert plain.limits.max_tokens is None


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n_predict"])
def test_the_number_of_tokens_has_three_names(name: str) -> None:
    """-1: as many as fit; 0: the prompt is evaluated and kept."""
    assert controls(**{name: -1}).limits.max_tokens is None
    assert controls(**{name: 0}).limits.max_tokens == 0
    assert controls(**{name: 7}).limits.max_tokens == 7
    assert f"{name!r} is -2" in refused(**{name: -2})
    assert name in refused(**{name: 10**30})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"top_k": 1.5}, "'top_k' has to be a whole number, not 1.5"),
        ({"top_p": 1.1}, "'top_p' is 1.1; it has to be from 0 to 1"),
        ({"min_p": -0.1}, "'min_p'"),
        ({"repeat_penalty": 0}, "'repeat_penalty' is 0.0"),
        ({"frequency_penalty": "1"}, "'frequency_penalty' has to be a number, not '1'"),
        ({"presence_penalty": 1e9}, "'presence_penalty'"),
        ({"repeat_last_n": 10**6}, "'repeat_last_n' is 1000000"),
        ({"n": 2}, "'n' is 2; one answer"),
        ({"n": 0}, "'n' is 0"),
        ({"best_of": 3}, "'best_of'"),
        ({"stop": ["x"] * 17}, "'stop'"),
        ({"logprobs": 3}, "'logprobs' has to be true or false"),
        ({"logprobs": True, "top_logprobs": 21}, "'top_logprobs' is 21"),
        ({"grammar": "x" * (MAX_GRAMMAR_BYTES + 1)}, "has 65537 bytes"),
        ({"grammar": "\u20ac" * 30_000}, "has 90000 bytes"),
        ({"json_schema": {"a": "x" * 70_000}}, "JSON schema has 70"),
        ({"json_schema": {}, "grammar": "x"}, "Only one of"),
        ({"response_format": {"type": "xml"}}, "'type' is 'xml'"),
        ({"response_format": {"type": "json_schema"}}, "needs a 'schema'"),
        ({"response_format": "json"}, "'response_format' has to be an object"),
        ({"stream_options": []}, "'stream_options' has to be an object, not a list of 0"),
        ({"reasoning_format": "maybe"}, "'reasoning_format' is 'maybe'"),
        ({"reasoning_budget": -5}, "'reasoning_budget' is -5"),
        ({"priority": "urgent"}, "one of inline, interactive, background"),
        ({"priority": 1}, "'priority' has to be a text"),
        ({"source": 5}, "'source' has to be an object"),
        ({"source": {"client": "x" * 5000}}, "'client' has 5000 characters"),
        ({"lookup": [1]}, "'lookup' has to be true, false or"),
        ({"tools": [{"type": "function"}]}, "'tools' are not supported"),
        ({"functions": [{}]}, "'functions' are not supported"),
        ({"t_max_predict_ms": True}, "'t_max_predict_ms'"),
        ({"logit_bias": {"5": -100}}, "'logit_bias' is an object of 1; it is not supported"),
        ({"logit_bias": [[5, False]]}, "'logit_bias' is a list of 1"),
        ({"forced": [{"after": "a", "text": "b"}] * 17}, "'forced' has 17"),
    ],
)
def test_a_field_out_of_range_is_named(fields: dict[str, Any], reason: str) -> None:
    assert reason in refused(**fields)


def test_what_means_nothing_is_taken_for_nothing() -> None:
    """As clients of other servers send it."""
    given = controls(
        tools=[], tool_choice="none", temperature=None, seed=-1, stop=None, lookup=False
    )

    assert given == controls()


@pytest.mark.parametrize("nothing", [None, {}, [], False])
def test_a_bias_towards_nothing_is_none(nothing: object) -> None:
    assert controls(logit_bias=nothing) == controls()


def test_requests_take_the_place_of_others_about_the_same_document_only() -> None:
    assert controls(user="me").source == ""
    assert controls(user="me").client == "me"
    assert controls(source={"client": "vim"}).source == ""
    assert controls(user="me", source="a.py").source == "me\na.py"
    assert controls(source="a.py").source == "\na.py"


def test_a_schema_may_come_in_three_ways() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    nested = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    assert controls(json_schema=schema).schema == schema
    assert controls(response_format=nested).schema == schema
    assert controls(response_format={"type": "json_object"}).schema == {"type": "object"}
    assert controls(response_format={"type": "text"}).schema is None


def test_lookup_without_texts_looks_in_the_prompt() -> None:
    assert controls(lookup=True).lookup == ()
    assert controls().lookup is None


def test_a_completion_with_a_suffix_fills_in_and_is_urgent() -> None:
    plain = parse_text(b'{"prompt": "a", "logprobs": 2}')
    filled = parse_text(b'{"prompt": "a", "suffix": "b"}')

    assert isinstance(plain, TextRequest)
    assert (plain.controls.limits.logprobs, plain.controls.split) == (2, False)
    assert plain.controls.priority is Priority.INTERACTIVE
    assert isinstance(filled, FillRequest)
    assert (filled.prefix, filled.suffix) == ("a", "b")
    assert filled.controls.priority is Priority.INLINE
    for empty in ({"suffix": ""}, {"suffix": None}):
        again = parse_text(json.dumps({"prompt": ["a"], "logprobs": 2, **empty}).encode())
        assert again == plain
    assert "'prompt' has to be one text, not 5" in refused(parse_text, prompt=[5])
    assert "'prompt' has to be one text, not a list of 2" in refused(parse_text, prompt=["a", "b"])
    assert "'echo'" in refused(parse_text, prompt="a", echo=True)


def test_an_infill_request_is_read() -> None:
    body = {
        "input_prefix": "def f",
        "input_suffix": "\n",
        "prompt": "oo",
        "input_extra": [{"filename": "a.py", "text": "x = 1"}, {"text": "y"}],
        "n_predict": 0,
        "t_max_predict_ms": 500,
    }

    request = parse_fill(json.dumps(body).encode())

    assert (request.prefix, request.suffix, request.typed) == ("def f", "\n", "oo")
    assert request.extra == (ExtraFile("a.py", "x = 1"), ExtraFile("", "y"))
    assert (request.controls.limits.max_tokens, request.controls.limits.line_ms) == (0, 500)
    assert "'input_suffix' is missing" in refused(parse_fill, input_prefix="a")
    wrong = {"input_prefix": "", "input_suffix": "", "input_extra": [{"filename": "a"}]}
    assert "'input_extra' needs the text" in refused(parse_fill, **wrong)


def test_tokens_have_to_be_in_the_vocabulary() -> None:
    """A number beyond it would be read beyond the end of an array."""
    assert parse_detokenize(b'{"tokens": [0, 9]}', 10) == [0, 9]
    for wrong in ("[10]", "[-1]", "[true]", '["1"]', "[1.0]", "[[1]]"):
        with pytest.raises(RequestProblem, match="'tokens' holds"):
            parse_detokenize(b'{"tokens": %s}' % wrong.encode(), 10)


def test_a_number_beyond_all_floats_is_refused() -> None:
    with pytest.raises(RequestProblem, match="'temperature' is inf"):
        parse_chat(b'{"messages": [], "temperature": ' + b"9" * 400 + b"}")


def test_a_body_in_another_encoding_is_refused() -> None:
    """Python's reader would guess UTF-16."""
    with pytest.raises(RequestProblem, match="not UTF-8"):
        parse_chat('{"messages": []}'.encode("utf-16"))
