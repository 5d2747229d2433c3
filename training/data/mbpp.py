"""MBPP's training split: tasks 601 to 974, a sentence and three asserts each (CC BY 4.0).

The test split (11 to 510) is what the model is judged on; the validation split (511 to 600) and
the prompts (1 to 10) belong to nobody here. Nearly all code has `\\r\\n` at the ends of its lines.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from training.data.functions import NOT_PYTHON, parse
from training.data.rows import BadField, Row, optional_text, text, texts

NAME = "mbpp"
_TRAIN = range(601, 975)
_LICENCE = "CC BY 4.0 (Google Research)"


def make(place: str, row: dict[str, Any]) -> Row | None:
    """One row of MBPP; None for a task of another split.

    Raises:
        BadField: a field is broken.
    """
    number = row.get("task_id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadField("task_id: not a number")
    if number not in _TRAIN:
        return None
    code = text(row, "code").strip() + "\n"
    tests = texts(row.get("test_list"), "test_list")
    name, signature = asked_function(code, tests)
    return Row(
        id=f"mbpp-{number}",
        statement=text(row, "text").strip(),
        solutions=(code,),
        source=NAME,
        signature=signature,
        closing=signature,
        name=name,
        tests=tests,
        setup=optional_text(row, "test_setup_code"),
        licence=_LICENCE,
    )


def asked_function(code: str, tests: tuple[str, ...]) -> tuple[str, str]:
    """The name and the `def` line of the function that the tests call.

    Raises:
        BadField: none of the code's functions is called, or either is no Python.
    """
    try:
        defined = {n.name: n for n in parse(code).body if isinstance(n, ast.FunctionDef)}
    except NOT_PYTHON as error:
        raise BadField("code: not Python") from error
    for test in tests:
        for called in re.findall(r"([A-Za-z_]\w*)\s*\(", test):
            if called in defined:
                return called, f"def {called}({ast.unparse(defined[called].args)}):"
    raise BadField("test_list: calls no function of the code")
