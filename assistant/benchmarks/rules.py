"""When an output counts as right, in the published benchmarks. Everything here runs in the parent.

The rule of most tasks is Python's own equality, with a float tolerance. A few tasks have several
right outputs; which, is a fact of the data sets (EvalPlus lists them). The rule that was used is
part of a run's summary.

EvalPlus 0.3.1 keeps the tolerance of a float output for all later inputs of the task; here it
holds for the output that it belongs to.
"""

from __future__ import annotations

import cmath
import enum
import math
from collections.abc import Callable
from typing import Any

RTOL = 1e-7
FLOAT_ATOL = 1e-6
"""Absolute tolerance where the expected output is floats and the task has none of its own."""


class Rule(enum.Enum):
    """How an output is compared with the reference solution's."""

    EQUAL = "equal"
    """`==`, or floats within the tolerance, type and length being the same."""
    ROOT = "root"
    """HumanEval/32: any root of the polynomial."""
    SAME_SET = "same set"
    """The order and number of the items do not matter."""
    NOT_NONE = "not none"
    """A match object: whether there is one."""
    DIGIT_DISTANCE = "digit distance"
    """Mbpp/558: numbers of different length, too."""
    PYRAMID = "pyramid"
    """Mbpp/581: the height may be that of the pyramid."""


_SPECIAL = {
    "HumanEval/32": Rule.ROOT,
    **dict.fromkeys(
        ("Mbpp/2", "Mbpp/7", "Mbpp/111", "Mbpp/140", "Mbpp/232", "Mbpp/579", "Mbpp/769"),
        Rule.SAME_SET,
    ),
    **dict.fromkeys(("Mbpp/737", "Mbpp/787", "Mbpp/794"), Rule.NOT_NONE),
    "Mbpp/558": Rule.DIGIT_DISTANCE,
    "Mbpp/581": Rule.PYRAMID,
}


def rule_of(task: str) -> Rule:
    """The rule of a task, by its id."""
    return _SPECIAL.get(task, Rule.EQUAL)


def right(rule: Rule, got: Any, want: Any, arguments: list[Any], atol: float) -> bool:
    """Whether `got` is a right output.

    Args:
        rule: of the task.
        got: plain data from the sandbox, of exact built-in types.
        want: the reference solution's output for the same arguments.
        arguments: of the call.
        atol: the task's absolute tolerance.
    """
    try:
        special = _CHECKS.get(rule)
        if special is not None:
            return special(got, want, arguments, atol)
        return _equal(got, want, atol)
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        # As where the comparison itself fails in the published evaluators.
        return False


def _equal(got: Any, want: Any, atol: float) -> bool:
    if got == want:
        return True
    if atol == 0 and _is_floats(want):
        atol = FLOAT_ATOL
    if atol == 0 or type(got) is not type(want):
        return False
    return _close(got, want, atol)


def _is_floats(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _close(got: Any, want: Any, atol: float) -> bool:
    """As numpy.allclose for rectangular data: |got - want| <= atol + RTOL * |want|."""
    if isinstance(want, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(want):
            return False
        return all(_close(one, other, atol) for one, other in zip(got, want, strict=True))
    if not isinstance(got, _NUMBERS) or not isinstance(want, _NUMBERS):
        return False
    if got == want:
        return True
    if not (cmath.isfinite(got) and cmath.isfinite(want)):
        return False
    return abs(got - want) <= atol + RTOL * abs(want)


_NUMBERS = (int, float, complex)


def _is_root(got: Any, want: Any, arguments: list[Any], atol: float) -> bool:
    value = math.fsum(c * math.pow(got, power) for power, c in enumerate(arguments[0]))
    return abs(value) <= atol


def _same_set(got: Any, want: Any, arguments: list[Any], atol: float) -> bool:
    return set(got) == set(want)


def _not_none(got: Any, want: Any, arguments: list[Any], atol: float) -> bool:
    """Both come as booleans: `judging` asks for no more than that."""
    return bool(got == want)


def _digit_distance(got: Any, want: Any, arguments: list[Any], atol: float) -> bool:
    first, second = (str(number) for number in arguments)
    width = max(len(first), len(second))
    pairs = zip(first.zfill(width), second.zfill(width), strict=True)
    return bool(got == want or got == sum(abs(int(a) - int(b)) for a, b in pairs))


def _pyramid(got: Any, want: Any, arguments: list[Any], atol: float) -> bool:
    base, height = arguments
    slant = math.sqrt((base / 2) ** 2 + height**2)
    surface = round(base**2 + 4 * (base * slant) / 2)
    return bool(got == want or abs(got - surface) <= atol)


_CHECKS: dict[Rule, Callable[[Any, Any, list[Any], float], bool]] = {
    Rule.ROOT: _is_root,
    Rule.SAME_SET: _same_set,
    Rule.NOT_NONE: _not_none,
    Rule.DIGIT_DISTANCE: _digit_distance,
    Rule.PYRAMID: _pyramid,
}
