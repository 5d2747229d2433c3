"""The arguments of MBPP+ as Python values: JSON knows no tuples, sets or complex numbers.

The published file stores lists where the reference solutions take tuples. Which task has what is
a fact of the data set (EvalPlus documents it in its reader); each shape here has a name, and a
table says which tasks have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Arguments = list[Any]
"""The positional arguments of one call."""


def _rows(value: Any) -> Any:
    """A list of lists as a list of tuples; the items of a text or list alone stay."""
    return [tuple(item) for item in value]


def _each_a_tuple(arguments: Arguments) -> Arguments:
    return [tuple(one) for one in arguments]


def _each_a_list_of_tuples(arguments: Arguments) -> Arguments:
    return [_rows(one) for one in arguments]


def _each_a_tuple_of_tuples(arguments: Arguments) -> Arguments:
    return [tuple(_rows(one)) for one in arguments]


def _first_a_list_of_tuples(arguments: Arguments) -> Arguments:
    return [_rows(arguments[0]), *arguments[1:]]


def _first_a_tuple(arguments: Arguments) -> Arguments:
    return [tuple(arguments[0]), *arguments[1:]]


def _second_a_tuple(arguments: Arguments) -> Arguments:
    return [arguments[0], tuple(arguments[1])]


def _first_a_tuple_of_mixed(arguments: Arguments) -> Arguments:
    first = (tuple(item) if isinstance(item, list) else item for item in arguments[0])
    return [tuple(first)]


def _first_a_table_of_tuples(arguments: Arguments) -> Arguments:
    table = {key: tuple(value) for key, value in arguments[0].items()}
    return [table, *arguments[1:]]


def _number_and_complex(arguments: Arguments) -> Arguments:
    return [float(arguments[0]), complex(arguments[1])]


def _complex(arguments: Arguments) -> Arguments:
    return [complex(arguments[0])]


def _deep(value: Any) -> Any:
    return tuple(_deep(item) for item in value) if isinstance(value, list) else value


def _tuples_all_through(arguments: Arguments) -> Arguments:
    return [_deep(one) for one in arguments]


_TASKS: dict[Callable[[Arguments], Arguments], tuple[int, ...]] = {
    _each_a_tuple: (
        2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630,
        726, 740, 744, 809,
    ),
    _each_a_list_of_tuples: (
        63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780,
    ),
    _each_a_tuple_of_tuples: (259, 401, 445),
    _first_a_list_of_tuples: (75, 413, 444, 753),
    _first_a_tuple: (250, 307, 405, 446, 617, 720, 763, 808),
    _second_a_tuple: (106, 750),
    _first_a_tuple_of_mixed: (278,),
    _first_a_table_of_tuples: (722,),
    _number_and_complex: (124,),
    _complex: (252,),
    _tuples_all_through: (580, 615, 791),
}  # fmt: skip
_SHAPES = {number: shape for shape, numbers in _TASKS.items() for number in numbers}


def mbpp_arguments(number: int, arguments: Arguments) -> Arguments:
    """The arguments of one call of task `Mbpp/number`, as its reference solution takes them.

    Raises:
        TypeError, ValueError, IndexError, AttributeError: they do not have the task's shape.
    """
    shape = _SHAPES.get(number)
    return arguments if shape is None else shape(arguments)
