"""A folder of the user's code becomes problems: functions with docstrings or tests."""

from __future__ import annotations

import ast

import pytest

from assistant import sandbox
from assistant.errors import DataProblem
from training.data import making
from training.data.rows import Row
from training.settings import Problems

SHAPES = '''\
"""Shapes."""
from __future__ import annotations

import math
import os
from collections import Counter

UNIT = 2.0
UNUSED = 3


def _square(value: float) -> float:
    return value * value * UNIT


def area(radius: float, *, parts: int = 1) -> float:
    """The area of a circle, cut into parts.

    >>> area(0.0)
    0.0
    >>> area(other)
    1
    """
    # Half of it is air.
    return math.pi * _square(radius) / UNIT / parts


def doubled(values):
    return [2 * value for value in values]


def nothing_known(values):
    return values


def later(value: int) -> int:
    """It is written one day."""
    ...


class Shape:
    def name(self):
        """Methods are left out."""
        return "shape"


async def fetched(name: str) -> str: "Fetch a name."; return name
'''

TESTS = """\
from shapes import doubled, area
import pytest

def test_doubled():
    assert doubled([1, 2]) == [2, 4]
    values = [1]
    assert doubled(values) == [2]
    assert sorted(doubled(x for x in range(3))) == [0, 2, 4]

@pytest.mark.parametrize("given", [1])
def test_area(given):
    assert area(given) > 3
    assert helper() == 3
"""


@pytest.fixture
def code(tmp_path):
    place = tmp_path / "project"
    files = {
        "shapes.py": SHAPES,
        "tests/test_shapes.py": TESTS,
        "broken.py": "def f(:\n",
        ".venv/lib/x.py": 'def g():\n    """Hidden."""\n    return 1\n',
        "node_modules/y.py": 'def h():\n    """Installed."""\n    return 1\n',
        "env2/pyvenv.cfg": "",
        "env2/lib/z.py": 'def i():\n    """Installed."""\n    return 1\n',
    }
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8", newline="\n")
    (place / "latin.py").write_bytes("x = 'ä'\n".encode("latin-1"))
    (place / "windows.py").write_bytes(b'def w(x):\r\n    """Give x."""\r\n    return x\r\n')
    return place


def test_functions_with_docstrings_or_tests_become_problems(stage, code):
    found = {one.id: one for one in stage.run(None, "own_code", folder=str(code))}
    names = ["area", "doubled", "fetched"]
    assert list(found) == [*(f"shapes.py:{name}" for name in names), "windows.py:w"]
    area = found["shapes.py:area"]
    assert area.request == (
        "The area of a circle, cut into parts.\n\n"
        "def area(radius: float, *, parts: int=1) -> float:"
    )
    assert area.tests == ("assert area(0.0) == 0.0",)
    assert found["shapes.py:doubled"].tests == (
        "assert doubled([1, 2]) == [2, 4]",
        "assert sorted(doubled((x for x in range(3)))) == [0, 2, 4]",
    )
    assert "assert doubled([1, 2])" in found["shapes.py:doubled"].request
    assert found["shapes.py:fetched"].code.endswith(
        "async def fetched(name: str) -> str: return name\n"
    )


def test_the_code_holds_what_it_uses_and_no_docstring(stage, code):
    found = {one.name: one for one in stage.run(None, "own_code", folder=str(code))}
    area = found["area"].code
    bound = {node.name for node in ast.parse(area).body if isinstance(node, ast.FunctionDef)}
    assert bound == {"_square", "area"}
    assert "import math\n" in area and "UNIT = 2.0" in area and "# Half of it is air." in area
    for absent in ("import os", "Counter", "UNUSED", "cut into parts", ">>>"):
        assert absent not in area
    scope: dict[str, object] = {}
    exec(compile(area, "area", "exec"), scope)
    assert round(scope["area"](1.0, parts=2), 2) == 1.57


def test_what_is_left_out_is_named(stage, code):
    stage.run(None, "own_code", folder=str(code))
    assert stage.step("rows that are not broken")["first"] == {
        "file: not Python": "broken.py",
        "file: wrong encoding": "latin.py",
        "function: neither a docstring nor tests": "shapes.py:_square",
        "function: has no body": "shapes.py:later",
    }
    assert "paper" not in stage.funnel


@pytest.mark.skipif(not sandbox.layers(), reason="this machine has no sandbox")
def test_own_functions_are_verified_by_their_own_tests(stage, code):
    found = stage.run(None, "own_code", folder=str(code), verify=True)
    assert [one.name for one in found] == ["area", "doubled"]


@pytest.mark.parametrize("folder", ["", "/no/such/folder"])
def test_a_folder_is_needed(stage, folder):
    with pytest.raises(DataProblem, match=r"problems\.folder=PATH"):
        stage.run(None, "own_code", folder=folder)


def test_an_empty_folder_says_so(stage, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataProblem, match="No row of own_code became a problem"):
        stage.run(None, "own_code", folder=str(tmp_path / "empty"))


def test_a_module_is_on_one_side_of_the_split():
    """A solution holds the helpers of its module, so one that is tested must not be learned so."""
    settings = Problems(source="own_code", heldout_share=0.5)
    sides = {}
    for number in range(40):
        for name in ("first", "second", "third"):
            row = Row(
                id=f"{number}{name}", source="own_code", statement=f"Do {name} of {number}.",
                solutions=("def f(): pass",), url=f"package/module{number}.py",
            )  # fmt: skip
            sides.setdefault(row.url, set()).add(making.split(row, settings))
    assert all(len(side) == 1 for side in sides.values())
    assert len(set().union(*sides.values())) > 1
