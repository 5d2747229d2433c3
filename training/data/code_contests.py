"""CodeContests: competition problems with solutions in several languages (13,328 of training).

Columns (huggingface.co/datasets/deepmind/code_contests): name, description, public_tests,
private_tests and generated_tests (lists of input and of output), source, solutions (lists of
language and of solution; 3 is Python 3), is_description_translated, input_file, output_file.
CC BY 4.0; statements are their authors'.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from training.data.problem import Example
from training.data.rows import BadField, Row, clean, loose_text, text, texts
from training.data.taco import STDIN

NAME = "code_contests"
_PYTHON3 = 3
_LICENCE = "CC BY 4.0 (DeepMind CodeContests)"
_TESTS = ("public_tests", "private_tests", "generated_tests")


def make(place: str, row: dict[str, Any]) -> Row:
    """One row of CodeContests.

    Raises:
        BadField: a field is broken.
    """
    if loose_text(row.get("input_file")) or loose_text(row.get("output_file")):
        raise BadField("input_file: reads or writes a file, not standard input and output")
    name = loose_text(row.get("name"))
    return Row(
        id=f"code_contests-{place}",
        statement=text(row, "description").strip(),
        solutions=_solutions(row.get("solutions")),
        source=NAME,
        closing=STDIN,
        examples=tuple(chain.from_iterable(_examples(row, field) for field in _TESTS)),
        licence=_LICENCE,
        url=name if name.startswith("http") else "",
    )


def _columns(value: Any, name: str, first: str, second: str) -> list[tuple[Any, Any]]:
    """Pairs from an object of two lists, or from a list of objects; some copies have either."""
    if value is None:
        return []
    if isinstance(value, dict):
        left, right = value.get(first), value.get(second)
        if not isinstance(left, list) or not isinstance(right, list):
            raise BadField(f"{name}: not two lists")
        if len(left) != len(right):
            raise BadField(f"{name}: lists of different lengths")
        return list(zip(left, right, strict=True))
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return [(one.get(first), one.get(second)) for one in value]
    raise BadField(f"{name}: not two lists")


def _solutions(value: Any) -> tuple[str, ...]:
    pairs = _columns(value, "solutions", "language", "solution")
    return texts([code for language, code in pairs if language == _PYTHON3], "solutions")


def _examples(row: dict[str, Any], name: str) -> list[Example]:
    pairs = _columns(row.get(name), name, "input", "output")
    return [
        Example("stdin", clean(given, name, most=None), clean(wanted, name, most=None))
        for given, wanted in pairs
    ]
