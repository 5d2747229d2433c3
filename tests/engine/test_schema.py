"""JSON schemas as grammars: what they let through, and what is refused."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.engine.automaton import Automaton
from assistant.engine.gbnf import parse
from assistant.engine.schema import from_json_schema
from assistant.errors import RequestProblem

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", 'b"\\c', "é\n", 1, None]}, "maxItems": 2},
    },
    "required": ["age"],
}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": ["number", "null"]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["value", "children"],
        }
    },
    "$ref": "#/$defs/node",
}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def fits(schema: object, text: str) -> bool:
    automaton = Automaton(parse(from_json_schema(schema)))
    automaton.begin()
    state = automaton.walk(automaton.start, text.encode())
    return state is not None and state.complete


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (
            PERSON,
            [
                '{"age": 3}',
                '{"name": "Ada", "age": -3}',
                '{"name":"\\u00e9\\n\\"xy","age":0,"tags":[]}',
                '{"age": 1, "tags": ["a", "b\\"\\\\c"]}',
                '{"age": 1, "tags": ["é\\n", 1]}',
                '{\n  "age": 1,\n  "tags": [null]\n}',
            ],
            [
                "{}",
                '{"name": "Ada"}',
                '{"name": "", "age": 1}',
                '{"name": "too long", "age": 1}',
                '{"age": 01}',
                '{"age": 1.5}',
                '{"age": 1, "name": "Ada"}',
                '{"age": 1, "other": 2}',
                '{"age": 1, "tags": [1, 1, 1]}',
                '{"age": 1, "tags": ["x"]}',
                '{"age": 1,}',
                '{"age": 1} ',
            ],
        ),
        (
            TREE,
            [
                '{"value": 1e-5, "children": []}',
                '{"value": null, "children": [{"value": 1, "children": []}]}',
            ],
            ['{"value": "1", "children": []}', '{"value": 1, "children": [1]}'],
        ),
        ({"type": "object"}, ["{}", '{"a": [1, {"b": null}]}'], ["[]", "1", '{"a"}', "{a: 1}"]),
        ({}, ["1", '"x"', "[]", "{}", "true"], ["", "x", "'x'", "[1", "tru"]),
        ({"type": "string"}, ['""', '"a\\u00ff"', '"é"'], ['"', '"\n"', '"\\x"', '"\x00"', "a"]),
        ({"type": "array", "minItems": 2}, ["[1, 2]", "[1,2,3]"], ["[]", "[1]", "[1,2,]"]),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 0}, ["[]"], ["[null]"]),
        ({"items": {"type": "boolean"}, "minItems": 1, "maxItems": 1}, ["[true]"], ["[]", "[1]"]),
        ({"prefixItems": [{"const": 1}, {"const": "b"}]}, ['[1, "b"]'], ["[1]", '["b", 1]']),
        ({"anyOf": [{"type": "null"}, {"const": {"a": [1]}}]}, ["null", '{"a": [1]}'], ["{}"]),
        (
            {"properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "integer"}},
            ["{}", '{"a": null}', '{"a": null, "b": 1, "c": 2}', '{"b": 1}'],
            ['{"b": "x"}', '{"b": 1, "a": null}'],
        ),
        ({"properties": {"a": True}, "required": ["a", "b"]}, ['{"a": 1, "b": 2}'], ['{"a": 1}']),
        (
            {
                "allOf": [
                    {"$ref": "#/$defs/x"},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ],
                "$defs": {"x": {"properties": {"a": {"const": 1}}}},
            },
            ['{"b": 2}', '{"a": 1, "b": 2}'],
            ["{}", '{"a": 1}'],
        ),
        ({"type": "string", "format": "date"}, ['"2026-11-30"'], ['"2026-13-01"', '"x"']),
        (
            {"type": "string", "format": "date-time"},
            ['"2026-11-30T23:59:59Z"', '"2026-11-30T00:00:00.123+01:00"'],
            ['"2026-11-30"', '"2026-11-30T24:00:00Z"'],
        ),
        ({"format": "uuid"}, ['"123e4567-e89b-12d3-a456-426614174000"'], ['"123e4567"']),
        ({"type": "string", "format": "email"}, ['"any"'], ["any"]),
        ({"enum": ["\ud800", "x"]}, ['"\\ud800"', '"x"'], ['"y"']),
        (
            {"properties": {"a/b": {"type": "null"}, "c": {"$ref": "#/properties/a~1b"}}},
            ['{"a/b": null, "c": null}'],
            ['{"c": 1}'],
        ),
    ],
)
def test_what_a_schema_lets_through(schema: Any, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not fits(schema, text)] == []
    assert [text for text in wrong if fits(schema, text)] == []


@settings(deadline=None)
@given(JSON_VALUES, st.sampled_from([None, 1, 4]), st.booleans())
def test_any_json_fits_an_open_schema(value: object, indent: int | None, plain: bool) -> None:
    assert fits(True, json.dumps(value, indent=indent, ensure_ascii=plain))


@pytest.mark.parametrize("schema", [PERSON, TREE, {}, {"type": "object"}])
def test_whatever_comes_out_is_json(schema: object) -> None:
    automaton = Automaton(parse(from_json_schema(schema)))
    for seed in range(60):
        choose = random.Random(seed)
        text, state = bytearray(), automaton.start
        while len(text) < 3000 and not state.complete:
            automaton.begin()
            bytes_ = [byte for byte in range(256) if state.mask >> byte & 1]
            # Closing what is open comes soon enough only if it is favoured.
            closing = [byte for byte in bytes_ if byte in b'"]}']
            byte = choose.choice(closing if closing and choose.random() < 0.5 else bytes_)
            text.append(byte)
            following = automaton.step(state, byte)
            assert following is not None
            state = following
        if state.complete:
            json.loads(text.decode())


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (5, "a schema .* is 5"),
        (False, "is false"),
        ([], "has to be an object"),
        ({"type": "text"}, '"text"'),
        ({"type": {}}, "type"),
        ({"type": []}, "type"),
        ({"enum": []}, "enum"),
        ({"enum": 5}, "enum"),
        ({"anyOf": {}}, "anyOf"),
        ({"allOf": [5]}, "allOf"),
        ({"allOf": [{"properties": []}]}, "allOf"),
        ({"properties": 5}, "properties"),
        ({"properties": {"a": 5}}, "a schema"),
        ({"type": "object", "required": "a"}, "required"),
        ({"type": "object", "required": [1]}, "required"),
        ({"prefixItems": 5}, "prefixItems"),
        ({"type": "array", "items": 5}, "a schema"),
        ({"type": "string", "maxLength": 10**9}, "maxLength .* 1000000000"),
        ({"type": "string", "maxLength": "5"}, "whole number"),
        ({"type": "string", "minLength": True}, "whole number"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "less than minLength"),
        ({"type": "array", "minItems": -1}, "whole number"),
        ({"type": "string", "pattern": "^]$"}, "pattern"),
        ({"$ref": "https://example.com/schema"}, "does not point inside"),
        ({"$ref": "#/nowhere"}, "points to nothing"),
        ({"anyOf": [{"$ref": "#/anyOf/" + "9" * 5000}]}, "points to nothing"),
        ({"$ref": 5}, "a text"),
        ({"$ref": "#"}, "can begin with itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "can begin with itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "allOf": [{"$ref": "#/$defs/a"}]}, "allOf"),
        ({"allOf": [{"$ref": "#"}]}, "deeper"),
        ({"enum": ["x" * 70_000]}, "characters"),
        ({"properties": {f"p{i}": {"type": "string"} for i in range(3000)}}, "rules|characters"),
    ],
)
def test_what_is_refused_is_named(schema: object, message: str) -> None:
    with pytest.raises(RequestProblem, match=message):
        from_json_schema(schema)


def test_depth_is_limited() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(RequestProblem, match="deeper than 40"):
        from_json_schema(schema)


def test_many_optional_properties_grow_with_their_number_only() -> None:
    """The usual translation has a rule for each pair of them."""
    few = from_json_schema({"properties": {f"p{i}": {"type": "null"} for i in range(100)}})
    many = from_json_schema({"properties": {f"p{i}": {"type": "null"} for i in range(400)}})

    assert len(many) < 5 * len(few)


def doubling(depth: int, leaf: dict[str, Any]) -> dict[str, Any]:
    """Each level refers twice to the next one."""
    levels: dict[str, Any] = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(depth)
    }
    return {"$defs": levels | {f"d{depth}": leaf}, "allOf": [{"$ref": "#/$defs/d0"}]}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("leaf", [{"type": "object"}, {"required": ["a"] * 5000}])
def test_parts_that_refer_to_each_other_are_bounded(leaf: dict[str, Any]) -> None:
    """Three kilobytes would keep a thread busy for years."""
    with pytest.raises(RequestProblem, match="names together"):
        from_json_schema(doubling(36, leaf))
    shallow = doubling(5, {"properties": {"a": {"const": 1}}, "required": ["a"]})
    assert fits(shallow, '{"a": 1}')
    assert not fits(shallow, "{}")
