"""The second check: every name that is read is bound somewhere; doubt favours the code."""

from __future__ import annotations

import ast
import random
import symtable
import sysconfig
from pathlib import Path

import pytest

from assistant.checks import parse_error, undefined_names


def names(code: str, known: tuple[str, ...] = ()) -> list[str]:
    return [found.name for found in undefined_names(code, known)]


@pytest.mark.parametrize(
    "code",
    [
        "import os.path\nprint(os)",
        "import a.b as c, d\nc, d",
        "from m import x as y\ny",
        "from m import *\nwhatever()",
        "[x for x in range(3) if x]\n{y: z for y, z in {}.items()}\n(w for w in [])",
        "[i + j for i in range(3) for j in range(i)]",
        "def f(a, /, b=1, *c, d=2, **e): return a, b, c, d, e",
        "def outer():\n    n = 0\n    def inner():\n        nonlocal n\n        n += 1\n"
        "    return inner",
        "class A:\n    x = 1\n    y = x + 1\n    def m(self): return __class__, self.x",
        "class A:\n    def __init__(self): super().__init__(); self.__x = A",
        "class A: q = __qualname__, __module__",
        "def f():\n    global g\n    g = 1\ndef h(): return g",
        "def f(): return later()\ndef later(): return 1",
        "try:\n    1\nexcept ValueError as e:\n    print(e)",
        "try:\n    1\nexcept* ValueError as group:\n    print(group)",
        "with open('x') as f, open('y') as (g, h): f, g, h",
        "match [1, 2]:\n    case [a, *rest] if a: rest\n    case {'k': v, **more}: v, more\n"
        "    case int(n) | float(n): n\n    case other: other",
        "if (n := 10) > 5: n",
        "[last := x for x in range(3)]\nlast",
        "for i, (a, *b) in []: i, a, b",
        "f = lambda x, *y, z=1: (x, y, z)",
        "@staticmethod\ndef f(): ...",
        "def f(x: int) -> 'Later': ...",
        "x: int\nprint(x)",
        "async def f():\n    async with g() as h: h\n    async for i in h: i\n"
        "    return [j async for j in h]\ndef g(): ...",
        "try:\n    unicode\nexcept NameError:\n    pass",
        "globals()['made'] = 1\nmade",
        "print(__name__, __file__, __doc__, __debug__)",
        "del_ = 1\ndel del_\n",
        "import typing as t\nT = t.TypeVar('T')\ndef f(x: T) -> T: return x",
    ],
)
def test_code_that_binds_its_names_is_accepted(code: str):
    compile(code, "x", "exec")

    assert names(code) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print(missing)", ["missing"]),
        ("def f():\n    return math.sqrt(2)", ["math"]),
        ("def f(a=default): pass", ["default"]),
        ("[x for x in xs]", ["xs"]),
        ("[x for x in range(3)]\nx", ["x"]),
        ("class A:\n    x = 1\n    def m(self): return x", ["x"]),
        ("def f():\n    y = 1\ny", ["y"]),
        ("@decorate\ndef f(): ...", ["decorate"]),
        ("def f(x: List[int]): ...", ["List"]),
        ("f'{value:{width}}'", ["value", "width"]),
        ("b\na\nb", ["b", "a"]),
        ("x += 1\nlambda: q", ["q"]),
        ("try:\n    1\nexcept Missing:\n    pass", ["Missing"]),
    ],
)
def test_a_name_that_nothing_binds_is_reported(code: str, expected: list[str]):
    assert names(code) == expected


def test_the_place_counts_characters_and_belongs_to_the_scope_that_lacks_the_name():
    code = "def f(n): return n\nä = 'ü'; print(ä, n)\n"
    (found,) = undefined_names(code)

    assert (found.name, found.line, found.column) == ("n", 2, 19)
    assert "line 2" in str(found)


def test_names_of_the_surroundings_are_known():
    assert names("helper(other)", known=("helper",)) == ["other"]


@pytest.mark.parametrize(
    "code",
    [
        "x = " + " + ".join(["missing"] * 800),
        "x = " + "lambda: " * 150 + "missing",
        "x = " + "[" * 90 + "missing" + "]" * 90,
        "if 1:\n    pass\n" + "elif missing:\n    pass\n" * 800,
    ],
)
def test_deep_code_is_no_trouble(code: str):
    """What the compiler takes, the check takes."""
    compile(code, "x", "exec")

    assert names(code) == ["missing"]


def standard_library() -> list[Path]:
    root = Path(sysconfig.get_path("stdlib"))
    rooms = ("", "json", "asyncio", "email", "collections", "concurrent/futures", "http", "xml/dom")
    files = [file for room in rooms for file in sorted((root / room).glob("*.py"))]
    # poplib's own lambda uses `self` outside a method: a true finding in the library.
    return [file for file in files if file.name != "poplib.py"]


def test_no_false_alarm_in_the_standard_library():
    """Code that works binds its names: a fixed sample of modules that do."""
    files = random.Random(0).sample(standard_library(), 70)
    alarms = {}
    for file in files:
        code = file.read_text(encoding="utf-8")
        if parse_error(code) is None and (found := undefined_names(code)):
            alarms[file.name] = [str(one) for one in found]

    assert alarms == {}


@pytest.mark.soak
def test_no_false_alarm_in_any_module_of_the_library():
    """All of it but the tests, which read unknown names on purpose."""
    root = Path(sysconfig.get_path("stdlib"))
    alarms = {}
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).parts
        if {"site-packages", "test", "tests", "idle_test", "poplib.py"} & set(parts):
            continue
        code = file.read_text(encoding="utf-8", errors="ignore")
        if parse_error(code) is None and (found := undefined_names(code)):
            alarms[str(file)] = [str(one) for one in found]

    assert alarms == {}


def test_a_name_that_is_taken_away_from_real_code_is_found():
    """The other direction: each import of a real module, removed, is noticed where it is used."""
    code = Path(sysconfig.get_path("stdlib"), "shlex.py").read_text(encoding="utf-8")
    tree = ast.parse(code)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    for node in imports:
        lines = code.splitlines(keepends=True)
        lines[node.lineno - 1 : node.end_lineno] = []
        bound = {alias.asname or alias.name for alias in node.names}

        assert set(names("".join(lines))) == bound


def test_a_file_of_thousands_of_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own lookup goes through all children for each name: many seconds here."""
    monkeypatch.delattr(symtable.SymbolTable, "lookup")
    code = "".join(f"def f{n}(a):\n    return a + f{n}\n" for n in range(2000))

    assert names(code + "f1(g)\n") == ["g"]
