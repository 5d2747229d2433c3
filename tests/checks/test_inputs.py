"""Inputs that are made up from type hints: they fit, they differ, and they are always the same."""

from __future__ import annotations

import ast
import collections.abc
import inspect
import os
import subprocess
import sys
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.checks import values
from assistant.checks.inputs import MOST_INPUTS, Parameter, inputs_for, parameters_of, pool_of

SCALARS = st.sampled_from(["int", "float", "str", "bool", "bytes", "complex", "None"])
HASHABLE = st.sampled_from(["int", "str", "bool", "tuple[int, str]", "Optional[int]"])


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("list[{}]".format, inner),
        st.builds("Sequence[{}]".format, inner),
        st.builds("tuple[{}, {}]".format, inner, inner),
        st.builds("tuple[{}, ...]".format, inner),
        st.builds("dict[{}, {}]".format, HASHABLE, inner),
        st.builds("set[{}]".format, HASHABLE),
        st.builds("Optional[{}]".format, inner),
        st.builds("Union[{}, {}]".format, inner, inner),
        st.builds("{} | int".format, inner),
    )


HINTS = SCALARS | nested(SCALARS) | nested(nested(SCALARS))
NAMESPACE = vars(typing) | {"Sequence": collections.abc.Sequence}


def fits(value: object, hint: object) -> bool:
    """What a type checker would say of plain data; written anew, by the rules of `typing`."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is None or hint is type(None):
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is None:
        return type(value) is hint
    if origin is tuple:
        if inner[1:] == (...,):
            return type(value) is tuple and all(fits(one, inner[0]) for one in value)
        return type(value) is tuple and len(value) == len(inner) and all(map(fits, value, inner))
    if origin is dict:
        return type(value) is dict and all(
            fits(key, inner[0]) and fits(one, inner[1]) for key, one in value.items()
        )
    kind = set if origin is set else list
    return type(value) is kind and all(fits(one, inner[0]) for one in value)


@given(HINTS)
def test_every_value_fits_its_hint(hint: str):
    pool = pool_of(Parameter("x", hint))
    type_ = eval(hint, dict(NAMESPACE))

    assert pool
    assert all(fits(value, type_) for value in pool)


@given(st.lists(st.builds(Parameter, st.sampled_from(["n", "text", "foo"]), HINTS), max_size=3))
def test_inputs_are_few_different_plain_and_the_same_again(parameters: list[Parameter]):
    inputs = inputs_for(parameters)

    assert 0 < len(inputs) <= MOST_INPUTS
    assert len(set(map(repr, inputs))) == len(inputs)
    assert all(len(one.args) == len(parameters) for one in inputs)
    assert repr(inputs) == repr(inputs_for(parameters))
    assert values.encode([list(one.args) for one in inputs])


@pytest.mark.parametrize("seed", ["0", "1", "2"])
def test_they_are_the_same_in_every_process(seed: str):
    script = (
        "from assistant.checks.inputs import *\n"
        "hints = ['dict[str, list[int]]', 'set[str]', 'Optional[tuple[int, ...]]', '']\n"
        "found = [one.key for one in inputs_for([Parameter('x', hint) for hint in hints])]\n"
    )
    environment = dict(os.environ) | {"PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", f"{script}print(found)"]
    done = subprocess.run(command, capture_output=True, env=environment)
    here: dict[str, object] = {}
    exec(script, here)

    assert done.stdout.decode().strip() == str(here["found"])


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("Literal['a', 1]", ["a", 1]),
        ("'bool'", [True, False]),
        ("typing.Optional[bool]", [True, None, False]),
        ("Annotated[bool, 'yes']", [True, False]),
        ("set[list[int]]", [set()] * 14),
    ],
)
def test_hints_of_other_kinds(hint: str, expected: list[object]):
    assert pool_of(Parameter("x", hint)) == expected


@pytest.mark.parametrize(
    "hint", ["Callable", "Callable[[int], int]", "TextIO", "Node", "lambda", "'"]
)
def test_what_no_plain_value_fits_gives_nothing(hint: str):
    assert pool_of(Parameter("x", hint)) == []
    assert inputs_for([Parameter("n", "int"), Parameter("x", hint)]) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("text", str),
        ("numbers", list),
        ("n", int),
        ("max_count", int),
        ("word2", str),
        ("price", float),
        ("mapping", dict),
    ],
)
def test_without_a_hint_the_name_says_what_it_takes(name: str, kind: type):
    assert {type(value) for value in pool_of(Parameter(name))} == {kind}


def test_a_silent_name_gets_a_mixed_set():
    assert {type(value) for value in pool_of(Parameter("foo"))} >= {int, str, list, dict, float}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("def f(a, b=1, *c, d, e=2, **g): 0", ["a", "d"]),
        ("def f(a, /, b): 0", ["a", "b"]),
        ("async def f(a=1, b=2): 0", ["a", "b"]),
        ("def f(): 0", []),
        ("def f(*a): 0", []),
    ],
)
def test_the_parameters_that_a_call_gives(line: str, names: list[str]):
    node = ast.parse(line).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    parameters = parameters_of(node)

    assert [one.name for one in parameters] == names
    scope: dict[str, object] = {}
    exec(line, scope)
    for one in inputs_for(parameters):
        inspect.signature(scope["f"]).bind(*one.args, **dict(one.kwargs))  # type: ignore[arg-type]
