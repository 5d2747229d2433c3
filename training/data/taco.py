"""TACO: competition problems with many solutions each (25,443 rows of training).

Fields are texts (huggingface.co/datasets/BAAI/TACO): question, solutions (JSON list), starter_code,
input_output (JSON: inputs, outputs, fn_name where a function is called), source, url,
picture_num, and others that are not used here. The data set is Apache-2.0; parts of it came under
MIT and CC BY 4.0, and of the rows from HackerRank nobody knows: `Problem.licence` says which.
"""

from __future__ import annotations

import json
from typing import Any

from training.data.problem import Example
from training.data.rows import (
    BadField,
    Row,
    clean,
    is_nan,
    loose_text,
    optional_text,
    parsed,
    text,
    texts,
)

NAME = "taco"
PAPER = 18_360
"""Problems that the paper trained on; how it chose them it does not say."""
STDIN = "Read from standard input and write to standard output."
_LICENCE = "Apache-2.0 (BAAI/TACO)"
_UNKNOWN = "unknown (HackerRank by way of BAAI/TACO)"


def make(place: str, row: dict[str, Any]) -> Row:
    """One row of TACO.

    Raises:
        BadField: a field is broken.
    """
    statement = text(row, "question").strip()
    solutions = parsed(row, "solutions")
    tests = parsed(row, "input_output")
    name, examples = _examples(tests)
    starter = optional_text(row, "starter_code").strip("\n")
    signature = starter if name and starter.startswith("def ") and "\n" not in starter else None
    return Row(
        id=f"taco-{place}",
        statement=statement,
        solutions=texts([] if solutions is None else solutions, "solutions"),
        source=NAME,
        signature=signature,
        closing=_closing(name, starter, signature),
        name=name,
        examples=examples,
        pictures=_count(row.get("picture_num")),
        licence=_UNKNOWN if "hackerrank" in loose_text(row.get("source")).lower() else _LICENCE,
        url=loose_text(row.get("url")),
    )


def _closing(name: str, starter: str, signature: str | None) -> str:
    if not name:
        return STDIN
    if signature is not None:
        return signature
    return starter or f"Write the function `{name}`."


def _count(value: Any) -> int:
    """`picture_num`: a number, a text with one, or nothing."""
    if value is None or is_nan(value) or isinstance(value, bool):
        return 0
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def _examples(tests: Any) -> tuple[str, tuple[Example, ...]]:
    """The name of the function, or nothing; and what is asked of it."""
    if tests is None:
        return "", ()
    if not isinstance(tests, dict):
        raise BadField("input_output: no object with inputs and outputs")
    inputs, outputs = tests.get("inputs", []), tests.get("outputs", [])
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise BadField("input_output: inputs or outputs are not a list")
    if len(inputs) != len(outputs):
        raise BadField("input_output: inputs and outputs differ in number")
    name = clean(tests.get("fn_name"), "input_output").strip()
    pairs = zip(inputs, outputs, strict=True)
    if name:
        return name, tuple(_call(given, expected) for given, expected in pairs)
    return "", tuple(Example("stdin", _lines(a), _lines(b)) for a, b in pairs)


def _call(given: Any, expected: Any) -> Example:
    if not isinstance(given, list):
        raise BadField("input_output: arguments are not a list")
    return Example("call", json.dumps(given), json.dumps(expected))


def _lines(value: Any) -> str:
    """What is read or printed: a text, or a list of lines."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = "\n".join(value)
    if not isinstance(value, str):
        raise BadField("input_output: input or output is not a text")
    return clean(value, "input_output", most=None)
