"""A JSON schema as a grammar, by the converter of llama-cpp-python.

The converter trusts its input: a pattern with a lone `]` keeps it busy for ever, and
`"maxLength": 1000000000` is written out. So what it is given is looked at before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from assistant.engine import gbnf
from assistant.errors import RequestProblem

_DEEPEST = 40
_MOST_PARTS = 2000
_MOST_PROPERTIES = 100
"""Of one object: the alternatives of optional ones grow with their square."""
_MOST_REPEATED = 900
"""Characters or items; the grammar's own limit is 2000 with what is inside."""
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
_NAMED = ("properties", "$defs", "definitions")
ANY_JSON: dict[str, Any] = {"type": "object"}
"""What `response_format: {"type": "json_object"}` asks for."""


def from_json_schema(schema: object) -> str:
    """A grammar of the JSON texts that `schema` describes.

    Args:
        schema: as it came; remote references are refused.

    Returns:
        GBNF that `gbnf.parse` reads.

    Raises:
        RequestProblem: it is too large or deep, or uses what can not be converted.
    """
    if not isinstance(schema, dict):
        raise RequestProblem(f"A JSON schema is an object, not {json.dumps(schema)[:60]}.")
    for number, part in enumerate(_parts(schema)):
        if number >= _MOST_PARTS:
            raise RequestProblem(f"The JSON schema has more than {_MOST_PARTS} parts.")
        _check(part)
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        grammar: str = json_schema_to_gbnf(json.dumps(schema))
    except Exception as error:
        # It uses assertions, and stumbles over types that it did not expect.
        raise RequestProblem(
            f"The JSON schema can not be converted to a grammar: {error or type(error).__name__}."
        ) from error
    gbnf.parse(grammar)
    return grammar


def _parts(schema: object) -> Iterator[dict[str, Any]]:
    """Every object in it, names of properties left out."""
    todo: list[tuple[object, int, bool]] = [(schema, 0, False)]
    while todo:
        value, depth, names = todo.pop()
        if depth > _DEEPEST:
            raise RequestProblem(f"The JSON schema is nested deeper than {_DEEPEST}.")
        if isinstance(value, dict):
            if names and len(value) > _MOST_PROPERTIES:
                raise RequestProblem(
                    f"An object of the JSON schema has {len(value)} properties; at most "
                    f"{_MOST_PROPERTIES} are allowed."
                )
            if not names:
                yield value
            todo += [
                (inner, depth + 1, not names and name in _NAMED) for name, inner in value.items()
            ]
        elif isinstance(value, list):
            todo += [(inner, depth + 1, False) for inner in value]


def _check(part: dict[str, Any]) -> None:
    for name in _COUNTS:
        count = part.get(name)
        if count is None:
            continue
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise RequestProblem(f"{name} in the JSON schema is {count!r}; it has to be a number.")
        if count > _MOST_REPEATED:
            raise RequestProblem(
                f"{name} in the JSON schema is {count}; at most {_MOST_REPEATED} is possible."
            )
    for least, most in (_COUNTS[:2], _COUNTS[2:]):
        if part.get(most) is not None and part.get(least, 0) > part[most]:
            raise RequestProblem(f"{least} in the JSON schema is more than {most}.")
    if isinstance(part.get("pattern"), str):
        _check_pattern(part["pattern"])


def _check_pattern(pattern: str) -> None:
    """Refuse closing brackets that were not opened, and large numbers of repetitions."""
    index, closing = 0, ""
    digits = ""
    while index < len(pattern):
        here = pattern[index]
        if here == "\\":
            index += 2
            continue
        if closing:
            if here == closing:
                closing = ""
            elif closing == "}":
                digits = digits + here if here.isdigit() else ""
                if len(digits) > len(str(_MOST_REPEATED)) or int(digits or 0) > _MOST_REPEATED:
                    raise RequestProblem(
                        f"The pattern {pattern!r} repeats more often than {_MOST_REPEATED} times."
                    )
        elif here in "[{":
            closing = "]" if here == "[" else "}"
            digits = ""
        elif here in "]}":
            raise RequestProblem(f"The pattern {pattern!r} has a {here} that nothing opens.")
        index += 1
