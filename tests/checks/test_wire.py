"""The parent lets frames of the protocol pass, and ends the check at any other."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.checks import routing
from assistant.checks.wire import Unsound, read

SOUND = ["=", "id", [], [], [], ["ok", {"t": [1, "a", None, {"M": [3, "list", [1.5], None]}]}]]


def text(frame: object) -> bytes:
    return json.dumps(frame).encode()


def test_what_is_sound_passes_as_it_is():
    assert read(text(SOUND)) == SOUND
    report = ["!", {"at": "tests"}]
    assert read(text(report)) == report


@pytest.mark.parametrize(
    "body",
    [
        ["ok"],
        ["fine", 1],
        ["raise", 1],
        ["ok", {"t": [], "l": []}],
        ["ok", {}],
        ["ok", {"unknown": 1}],
        ["ok", {"h": "1"}],
        ["ok", {"h": True}],
        ["ok", {"M": [1, "list"]}],
        ["ok", {"O": 1}],
        ["ok", {"C": [1, ["A", "A", "m", "__eq__"], []]}],
        ["ok", {"C": [1, ["A" * 2000, "A", "m", []], []]}],
        ["ok", float("nan")],
    ],
)
def test_an_unsound_body_is_refused(body: list):
    with pytest.raises(Unsound):
        read(text([*SOUND[:5], body]))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        text({}),
        text([]),
        text(["!"]),
        text(["?", "id", [], [], [], ["exec", {"t": []}]]),
        text(["?", "id", [], [], [], ["load", {"t": []}]]),
        text(["=", 1, [], [], [], ["ok", 1]]),
        text(["=", "id", ["a"], [], [], ["ok", 1]]),
        text(["=", "id", [], [1], [], ["ok", 1]]),
        text(["=", "id", [], [["a", 1]], [], ["ok", 1]]),
        text(["=", "id", [], [], [1.5], ["ok", 1]]),
    ],
)
def test_an_unsound_frame_is_refused(frame: bytes):
    with pytest.raises(Unsound):
        read(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=20,
)


@given(st.binary() | json_values.map(text) | st.lists(json_values, max_size=6).map(text))
def test_any_bytes_are_read_or_refused(frame: bytes):
    with suppress(Unsound):
        assert read(frame)[0] in ("!", "?", "=")


@given(json_values)
def test_any_body_is_read_or_refused(body: object):
    with suppress(Unsound):
        read(text([*SOUND[:5], body]))


@pytest.mark.parametrize("depth", [*range(960, 1000), 2000])
@pytest.mark.parametrize("opening", ["[", '{"t": ['])
def test_a_frame_nested_at_the_limit_is_passed_on_or_refused(depth: int, opening: str):
    closing = "]" if opening == "[" else "]}"
    body = opening * (depth // len(closing)) + closing * (depth // len(closing))
    with suppress(Unsound):
        routing._text(read(f'["=", "", [], [], [], ["ok", {body}]]'.encode()))
