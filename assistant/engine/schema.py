"""A JSON schema as a grammar of the JSON texts that it describes.

Not by the converter of llama-cpp-python: what it makes allows line breaks inside of strings and
breaks on a quote in an `enum`, and a pattern `^]$` keeps it busy for ever.

Kept to: type, enum, const, properties, required, additionalProperties, items, prefixItems, the
four limits of lengths, format (date, time, date-time, uuid), anyOf, oneOf, allOf of objects, and
references inside of the schema. `pattern` is refused. Numbers are not limited; what else there
is says nothing about the form. Properties come in the order in which the schema has them, and
others only where `additionalProperties` says so or none are named, as in llama-server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sized
from typing import Any
from urllib.parse import unquote

from assistant.engine import gbnf
from assistant.errors import RequestProblem

_DEEPEST = 40
_MOST_RULES = 4000
_MOST_MERGED = 100_000
"""Names that the merging of `allOf` may look at: its parts may refer to each other, and what two
references to two references mean doubles with each level."""
_INDEX_DIGITS = 7
_MOST_REPEATED = 1000
"""Characters or items that a limit of lengths may name."""
_BASE = r"""
ws ::= ( " " | "\n" [ \t]{0,20} )?
char ::= [^"\\\x00-\x1F] | "\\" ( ["\\/bfnrt] | "u" [0-9a-fA-F]{4} )
string ::= "\"" char* "\""
integer ::= "-"? ( "0" | [1-9] [0-9]{0,15} )
number ::= integer ( "." [0-9]{1,25} )? ( [eE] [-+]? [0-9]{1,3} )?
boolean ::= "true" | "false"
null ::= "null"
value ::= object | array | string | number | boolean | null
pair ::= string ":" ws value
object ::= "{" ws ( pair ( "," ws pair )* ws )? "}"
array ::= "[" ws ( value ( "," ws value )* ws )? "]"
date ::= [0-9]{4} "-" ( "0" [1-9] | "1" [0-2] ) "-" ( "0" [1-9] | [12] [0-9] | "3" [01] )
hour ::= [01] [0-9] | "2" [0-3]
time ::= hour ":" [0-5] [0-9] ":" [0-5] [0-9] ( "." [0-9]{3} )? ( "Z" | [-+] hour ":" [0-5] [0-9] )
hex ::= [0-9a-fA-F]
"""
_PLAIN = ("string", "integer", "number", "boolean", "null")
_FORMATS = {
    "date": '"\\"" date "\\""',
    "time": '"\\"" time "\\""',
    "date-time": '"\\"" date "T" time "\\""',
    "uuid": '"\\"" hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12} "\\""',
}


def from_json_schema(schema: object) -> str:
    """A grammar of the JSON texts that `schema` describes.

    Args:
        schema: an object, or True for any JSON.

    Returns:
        GBNF that `gbnf.parse` reads.

    Raises:
        RequestProblem: it is malformed, too large or deep, or uses what is not supported.
    """
    converter = _Converter(schema)
    root = converter.rule(schema, 0)
    grammar = "\n".join([f"root ::= {root}", *converter.rules]) + _BASE
    gbnf.parse(grammar)
    return grammar


class _Converter:
    def __init__(self, schema: object) -> None:
        self.rules: list[str] = []
        self._whole = schema
        self._named: dict[str, str] = {}
        self._merged = 0

    def rule(self, schema: object, depth: int) -> str:
        """The name of a rule for `schema`, or an expression of one element."""
        if depth > _DEEPEST:
            raise RequestProblem(f"The JSON schema is nested deeper than {_DEEPEST}.")
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, dict):
            raise _malformed("a schema", schema, "an object")
        if "$ref" in schema:
            return self._reference(schema["$ref"], depth)
        if "const" in schema:
            return _literal(schema["const"])
        if "enum" in schema:
            return self._new(" | ".join(map(_literal, _list(schema, "enum"))))
        for name in ("anyOf", "oneOf"):
            if name in schema:
                parts = [self.rule(part, depth + 1) for part in _list(schema, name)]
                return self._new(" | ".join(parts))
        if "allOf" in schema:
            schema = self._together(schema, depth)
        return self._of_type(schema, depth)

    def _of_type(self, schema: dict[str, Any], depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            parts = [self.rule({**schema, "type": one}, depth + 1) for one in _list(schema, "type")]
            return self._new(" | ".join(parts))
        makers: dict[str, Callable[[dict[str, Any], int], str]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
        }
        if kind is None:
            if "properties" in schema or "additionalProperties" in schema:
                kind = "object"
            elif "items" in schema or "prefixItems" in schema:
                kind = "array"
            elif any(name in schema for name in ("pattern", "format", "minLength", "maxLength")):
                kind = "string"
            else:
                return "value"
        if isinstance(kind, str) and kind in makers:
            return makers[kind](schema, depth)
        if kind not in _PLAIN:
            raise _malformed("type", kind, "one of object, array, " + ", ".join(_PLAIN))
        return str(kind)

    def _object(self, schema: dict[str, Any], depth: int) -> str:
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise _malformed("properties", properties, "an object")
        required = schema.get("required", [])
        if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
            raise _malformed("required", required, "a list of names")
        needed = set(required)
        more = schema.get("additionalProperties", not properties)
        properties = {**properties, **{name: True for name in required if name not in properties}}
        # Behind the last property: what may come if something came before it, and if not.
        after = first = '""'
        if more is not False:
            pair = "pair" if more is True else f'string ":" ws {self.rule(more, depth + 1)}'
            after = self._new(f'( "," ws {pair} )*')
            first = self._new(f"( {pair} {after} )?")
        # From the last to the first: two rules each, so that the size grows with their number.
        for name, inner in reversed(properties.items()):
            pair = self._new(f'{_literal(name)} ":" ws {self.rule(inner, depth + 1)}')
            if name in needed:
                first, after = self._new(f"{pair} {after}"), self._new(f'"," ws {pair} {after}')
            else:
                first = self._new(f"{pair} {after} | {first}")
                after = self._new(f'( "," ws {pair} )? {after}')
        return self._new(f'"{{" ws {first} ws "}}"')

    def _array(self, schema: dict[str, Any], depth: int) -> str:
        tuple_of = schema.get("prefixItems", [])
        items = schema.get("items", True)
        if isinstance(items, list):
            tuple_of, items = items, schema.get("additionalItems", True)
        if not isinstance(tuple_of, list):
            raise _malformed("prefixItems", tuple_of, "a list")
        least, most = _limits(schema, "minItems", "maxItems")
        if tuple_of:
            # As a tuple is meant, though the letter of the standard lets it be shorter.
            fixed = ' "," ws '.join(self.rule(item, depth + 1) for item in tuple_of)
            return self._new(f'"[" ws {fixed} ws "]"')
        if items is False or most == 0:
            return self._new('"[" ws "]"')
        item = self.rule(items, depth + 1)
        times = f"{{{max(least - 1, 0)},{'' if most is None else most - 1}}}"
        some = f'{item} ( "," ws {item} ){times} ws'
        return self._new(f'"[" ws {some} "]"' if least else f'"[" ws ( {some} )? "]"')

    def _string(self, schema: dict[str, Any], _depth: int) -> str:
        if "pattern" in schema:
            raise RequestProblem(
                f"A pattern ({_shown(schema['pattern'])}) in the JSON schema is not supported.",
                hint="Use enum, format or maxLength, or send a grammar.",
            )
        shape = schema.get("format")
        if isinstance(shape, str) and shape in _FORMATS:
            return self._new(_FORMATS[shape])
        least, most = _limits(schema, "minLength", "maxLength")
        if least == 0 and most is None:
            return "string"
        return self._new(f'"\\"" char{{{least},{"" if most is None else most}}} "\\""')

    def _together(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """One object of all parts of `allOf`."""
        merged = {name: value for name, value in schema.items() if name != "allOf"}
        for part in _list(schema, "allOf"):
            seen = 0
            while isinstance(part, dict) and "$ref" in part and seen < _DEEPEST:
                part, seen = self._found(part["$ref"]), seen + 1
            if not isinstance(part, dict) or "$ref" in part:
                raise _malformed("a part of allOf", part, "an object")
            if "allOf" in part:
                if depth > _DEEPEST:
                    raise RequestProblem(f"The JSON schema is nested deeper than {_DEEPEST}.")
                part = self._together(part, depth + 1)
            both = (merged.get("properties", {}), part.get("properties", {}))
            needed = (merged.get("required", []), part.get("required", []))
            if not all(isinstance(some, dict) for some in both) or not all(
                isinstance(some, list) for some in needed
            ):
                raise _malformed("a part of allOf", part, "the schema of an object")
            self._count(merged, part, *both, *needed)
            merged = {**merged, **part}
            merged["properties"] = {**both[0], **both[1]}
            merged["required"] = [*needed[0], *needed[1]]
            if not merged["properties"]:
                del merged["properties"], merged["required"]
        return merged

    def _count(self, *merged: Sized) -> None:
        self._merged += 1 + sum(map(len, merged))
        if self._merged > _MOST_MERGED:
            raise RequestProblem(
                f"The parts of allOf in the JSON schema have more than {_MOST_MERGED} names "
                "together. They may refer to each other in many ways.",
                hint="Write the properties into one object.",
            )

    def _reference(self, target: object, depth: int) -> str:
        if not isinstance(target, str):
            raise _malformed("$ref", target, "a text")
        if target not in self._named:
            name = self._new("")
            self._named[target] = name
            place = int(name.removeprefix("r"))
            self.rules[place] = f"{name} ::= {self.rule(self._found(target), depth + 1)}"
        return self._named[target]

    def _found(self, target: object) -> object:
        if not isinstance(target, str) or not target.startswith("#"):
            raise RequestProblem(
                f"$ref {_shown(target)} in the JSON schema does not point inside of the schema."
            )
        place: Any = self._whole
        for step in unquote(target[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and name in place:
                place = place[name]
            elif isinstance(place, list) and (index := _at(place, name)) is not None:
                place = place[index]
            else:
                raise RequestProblem(f"$ref {_shown(target)} in the JSON schema points to nothing.")
        return place

    def _new(self, text: str) -> str:
        if len(self.rules) >= _MOST_RULES:
            raise RequestProblem(f"The JSON schema needs more than {_MOST_RULES} rules.")
        name = f"r{len(self.rules)}"
        self.rules.append(f"{name} ::= {text}")
        return name


def _at(places: list[Any], name: str) -> int | None:
    """The place in a list that a step of a reference means. Python reads no huge numbers."""
    index = int(name) if name.isdecimal() and len(name) <= _INDEX_DIGITS else len(places)
    return index if index < len(places) else None


def _list(schema: dict[str, Any], name: str) -> list[Any]:
    value = schema[name]
    if not isinstance(value, list) or not value:
        raise _malformed(name, value, "a list with something in it")
    return value


def _limits(schema: dict[str, Any], least_name: str, most_name: str) -> tuple[int, int | None]:
    values = []
    for name in (least_name, most_name):
        value = schema.get(name)
        if value is not None and (not isinstance(value, int) or value is True or value < 0):
            raise _malformed(name, value, "a whole number")
        if value is not None and value > _MOST_REPEATED:
            raise RequestProblem(
                f"{name} in the JSON schema is {value}; at most {_MOST_REPEATED} is possible."
            )
        values.append(value)
    least, most = values[0] or 0, values[1]
    if most is not None and most < least:
        raise RequestProblem(f"{most_name} in the JSON schema is less than {least_name}.")
    return least, most


def _literal(value: object) -> str:
    """The JSON text of `value` as a terminal of the grammar."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _malformed(what: str, value: object, expected: str) -> RequestProblem:
    return RequestProblem(f"{what} in the JSON schema is {_shown(value)}; it has to be {expected}.")


def _shown(value: object) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."
