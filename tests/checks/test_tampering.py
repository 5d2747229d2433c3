"""Nothing that the code does makes a wrong answer pass: it neither sees nor reaches the tests."""

from __future__ import annotations

import pytest

from assistant.checks import run_tests
from assistant.checks.testfile import parse_tests
from assistant.events import Outcome
from assistant.sandbox import layers

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")

SECRET = 918273645
TESTS = f"""
expected = {SECRET}
def test_value():
    assert f(1) == expected
"""
# The namespace of our own program, which runs in the code's process too.
FIND_PEER = """
import sys
frame = sys._getframe()
while 'send' not in frame.f_globals: frame = frame.f_back
found = frame.f_globals
"""
FAKE = "class Fake{}:\n    def __eq__(self, other): return True\n    def __hash__(self): return 1\n"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (
            "every object in memory",
            "import gc\ndef f(x):\n    for one in gc.get_objects():\n"
            f"        if type(one) is dict and one.get('expected') == {SECRET - 1} + 1:\n"
            f"            return {SECRET - 1} + 1\n"
            "    return 0",
        ),
        (
            "the frames",
            "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
            "        for space in (frame.f_locals, frame.f_globals):\n"
            "            if 'expected' in space: return space['expected']\n"
            "        frame = frame.f_back\n    return 0",
        ),
        (
            "the memory of the process",
            "import re\ndef f(x):\n    found = []\n"
            "    for line in open('/proc/self/maps'):\n        if 'heap' not in line: continue\n"
            "        low, high = (int(part, 16) for part in line.split()[0].split('-'))\n"
            "        with open('/proc/self/mem', 'rb') as memory:\n"
            "            memory.seek(low)\n"
            "            found += re.findall(rb'test_value', memory.read(high - low))\n"
            f"    return {SECRET - 1} + 1 if len(found) > 1 else 0",
        ),
        (
            "patched builtins and modules",
            "import builtins, unittest, sys\nbuiltins.len = lambda x: 0\nbuiltins.type = bool\n"
            "unittest.TestCase.assertEqual = lambda *a: None\n"
            "builtins.AssertionError = ValueError\n"
            "sys.modules['tests'] = sys\ndef f(x): return 0",
        ),
        (
            "its own protocol, patched",
            f"{FIND_PEER}\nspace = found\n"
            "space['pack'] = lambda value, depth=0: '{\"T\": \"int\"}'\n"
            "space['keep'] = space['encode'] = lambda *a: 'true'\ndef f(x): return 0",
        ),
        ("names that the runner uses", "def __assistant_held__(): ...\ndef f(x): return 0"),
        ("an exit in good order", "import os\ndef f(x): os._exit(0)"),
        ("an end that looks well", "def f(x): raise SystemExit(0)"),
        ("output", "def f(x):\n    print('1 test held', flush=True)\n    return 0"),
    ],
)
def test_a_wrong_answer_stays_wrong(name: str, code: str):
    result = run_tests(code, parse_tests(TESTS))

    assert result.outcome.failed, (name, result)


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        (FAKE.format("") + "def f(x): return Fake()", "assert f(1) == 2"),
        (FAKE.format("") + "def f(x): return Fake()", "assert 2 == f(1)"),
        (FAKE.format("") + "def f(x): return [Fake()]", "assert f(1) == [2]"),
        (FAKE.format("") + "def f(x): return {'a': Fake()}", "assert f(1) == {'a': 2}"),
        (FAKE.format("") + "def f(x): return Fake()", "assert f(1) in [1, 2]"),
        (FAKE.format("(int)") + "def f(x): return Fake(2)", "assert f(1) == 2"),
        (FAKE.format("(str)") + "def f(x): return Fake('a')", "assert f(1) == 'a'"),
        (
            "class Near:\n    def __sub__(self, other): return 0.0\n    __rsub__ = __sub__\n"
            "def f(x): return Near()",
            "assert abs(f(1) - 2.5) < 1e-6",
        ),
        (
            "class Near:\n    def __rsub__(self, other): return 0.0\ndef f(x): return Near()",
            "assert abs(2.5 - f(1)) < 1e-6",
        ),
        (
            "class Small:\n    def __lt__(self, other): return True\n    __gt__ = __lt__\n"
            "def f(x): return Small()",
            "assert f(1) < 2",
        ),
        (
            "class All:\n    def __contains__(self, item): return True\ndef f(x): return All()",
            "assert 7 in f(1)",
        ),
        (
            "class Text:\n    def startswith(self, text): return True\ndef f(x): return Text()",
            "assert f(1).startswith('abc')",
        ),
        (
            "class Text:\n    def find(self, text): return 0\ndef f(x): return Text()",
            "assert f(1).find('abc') == 0",
        ),
        (
            "import unittest\ndef f(x): raise unittest.case._ShouldStop",
            "from unittest.case import _ShouldStop\nimport unittest\n"
            "class T(unittest.TestCase):\n    def test_f(self): self.assertEqual(f(1), 2)",
        ),
        (
            "class Almost:\n    def __round__(self, n=0): return 0\n"
            "    def __sub__(self, o): return self\n"
            "def f(x): return Almost()",
            "assert round(f(1) - 2.5, 3) == 0",
        ),
        (
            "class f:\n    def __init__(self, x): ...\n    def __sub__(self, other): return 0.0",
            "assert abs(f(1) - 2.5) < 1e-6",
        ),
        (
            "Fake = type('abs', (), {'__sub__': lambda self, other: 0.0})\ndef f(x): return Fake()",
            "assert abs(f(1) - 2.5) < 1e-6",
        ),
        (
            "Fake = type('Decimal', (), {'__sub__': lambda self, other: 0.0})\n"
            "def f(x): return Fake()",
            "from decimal import Decimal\nassert abs(f(1) - Decimal(2)) < 1e-6",
        ),
        (
            f"{FIND_PEER}\nclass A: ...\ndef f(x):\n    found['SPECIAL'] |= {{'__class__'}}\n"
            "    return A()\nA.__class__ = property(lambda self: int)",
            "assert isinstance(f(1), int)",
        ),
        (
            "class Meta(type):\n    def __eq__(cls, other): return True\n"
            "    __hash__ = type.__hash__\n"
            "class C(metaclass=Meta): ...\ndef f(x): return C",
            "assert f(1) == int",
        ),
    ],
)
def test_an_object_is_never_equal_to_data(code: str, tests: str):
    result = run_tests(code, parse_tests(tests))

    assert result.outcome.failed, result


NUMBERS = ("abs", "round", "bool", "int", "float")


@pytest.mark.parametrize(
    "tests",
    [
        "assert all(map(lambda x: f(x) == 2, [1, 2]))",
        "for value in map(f, [1, 2]): assert value == 2",
        "assert list(map(f, [1, 2])) == []",
        "import pytest\ndef test_f():\n    assert [*map(f, [1])] == []",
    ],
)
@pytest.mark.parametrize("kind", ["StopIteration", "type('Mine', (StopIteration,), {})"])
def test_a_loop_of_the_tests_is_not_ended_by_the_code(kind: str, tests: str):
    result = run_tests(f"def f(x): raise {kind}", parse_tests(f"{tests}\nassert True"))

    assert (result.outcome, result.kind) == (Outcome.ERROR, "RuntimeError"), result


VECTOR = """
class Vector:
    def __init__(self, x, y): self.x, self.y = x, y
    def __mul__(self, k): return Vector(self.x * k, self.y * k)
    __rmul__ = __mul__
    def __add__(self, o): return Vector(self.x + getattr(o, "x", o), self.y + getattr(o, "y", o))
    __radd__ = __add__
    def __sub__(self, o): return Vector(self.x - getattr(o, "x", o), self.y - getattr(o, "y", o))
    def __mod__(self, k): return self.x % k
    def __matmul__(self, o): return self.x * o.x + self.y * o.y
    def __abs__(self): return (self.x ** 2 + self.y ** 2) ** 0.5
    def __eq__(self, o): return (self.x, self.y) == (o.x, o.y)
    def startswith(self, x): return self.x == x
def double(v): return v * 2
def shorter(v, k): return v - k
"""


KNOWN = """
assert Vector(1, 2) * 3 == Vector(3, 6) == 3 * Vector(1, 2)
assert abs(Vector(3, 4) * 2) == 10 and abs(Vector(3, 4) - Vector(3, 4)) == 0
assert double(Vector(1, 2)) * 2 == Vector(4, 8) and Vector(3, 4) @ Vector(1, 1) == 7
assert sum([Vector(1, 2), Vector(3, 4)]) == Vector(4, 6) and Vector(7, 1) % 4 == 3
assert shorter(Vector(3, 4), 1) == Vector(2, 3) == Vector(3, 4) - 1
assert (Vector(2, 1) - 1).x == 1
assert Vector(1, 2).startswith(1) and (Vector(1, 2) + 1).y == 3
"""


@pytest.mark.parametrize(
    "way",
    [
        "{}",
        "import sol\nVector, double, shorter = sol.Vector, sol.double, sol.shorter\n{}",
        "from sol import *\n{}",
    ],
)
def test_a_class_that_the_tests_know_may_calculate(way: str):
    result = run_tests(VECTOR, parse_tests(way.format(KNOWN), module="sol"))

    assert result.outcome is Outcome.PASS, result


@pytest.mark.parametrize(
    "test",
    [
        "abs(norm(Vector(3, 4)) - 5.0) < 1e-9",
        "round(norm(Vector(3, 4)) - 5.0, 6) == 0",
        "abs((norm(Vector(3, 4)) - 5.0) * 1000) < 1",
        "abs(norm(Vector(3, 4)) / 5.0 - 1) < 1e-9",
        "not norm(Vector(3, 4)) - 5.0",
        "5.0 - norm(Vector(3, 4)) == 0",
        "norm(Vector(3, 4)) ^ 5 == 0",
    ],
)
def test_a_class_that_the_tests_know_is_no_number(test: str):
    code = (
        "class Zero:\n    def __init__(self, *a): ...\n"
        + "".join(
            f"    def __{name}__(self, *a): return {value}\n"
            for value in ("0.0", "self")
            for name in (*NUMBERS, "xor", "rxor", "truediv", "rsub", "sub", "mul")
            if value != "self" or name in ("sub", "mul", "truediv")
        )
        + "Vector = type('Vector', (Zero,), {})\ndef norm(v): return v\n"
    )
    result = run_tests(code, parse_tests(f"assert {test}"))

    assert result.outcome is Outcome.ERROR and result.kind == "TypeError", result


@pytest.mark.parametrize(
    "code",
    [
        "def abs(x): return 0.0",
        "from cmath import phase as abs",
        "import builtins\nbuiltins.abs = lambda x: 0.0",
        "globals().update(abs=lambda x: 0.0, expected=100.0, __builtins__={'abs': lambda x: 0.0})",
        "def f(x):\n    global abs\n    abs = lambda x: 0.0\n    return 100.0",
        "def abs(x): return 0.0\n__all__ = ['f', 'abs', 'expected', '__builtins__']",
        "__builtins__ = {'abs': lambda x: 0.0}",
        f"{FIND_PEER}\npack = found['pack']\n"
        "found['_load'] = found['OPERATIONS']['load']\n"
        "found['pack'] = lambda value, depth=0: pack(value, depth).replace('\"f\"', '\"abs\"')",
        f"{FIND_PEER}\npack = found['pack']\nfound['other_changes'] = lambda: [\n"
        '    f\'[-1, {pack([("abs", lambda x: 0.0), ("expected", 100.0)])}]\']',
    ],
)
@pytest.mark.parametrize(
    "tests",
    [
        "expected = 2.5\nassert f(0) != 1 and abs(f(1) - expected) < 1e-6",
        "from sol import *\nexpected = 2.5\ndef test_f():\n    assert abs(f(1) - expected) < 1e-6",
        "import unittest\nexpected = 2.5\nclass TestF(unittest.TestCase):\n"
        "    def test_f(self): self.assertTrue(abs(f(1) - expected) < 1e-6)",
    ],
)
def test_the_answer_gives_no_name_of_the_tests_another_meaning(code: str, tests: str):
    result = run_tests(f"def f(x): return 100.0\n{code}", parse_tests(tests, module="sol"))

    assert result.outcome in (Outcome.WRONG, Outcome.ERROR, Outcome.PROTOCOL_VIOLATION), result


def test_a_loop_of_the_tests_is_not_the_answers():
    code = "def range(*a): return []\ndef f(x): return 100"
    tests = "def test_f():\n    for i in range(5): assert f(i) == i"

    assert run_tests(code, parse_tests(tests)).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    ("right", "wrong", "tests"),
    [
        ("def pow(a, b): return a ** b", "def pow(a, b): return 0", "assert pow(2, 3) == 8"),
        (
            "def add(a, b): return a + b\ndef pow(a, b): return a ** b",
            "def add(a, b): return a + b\ndef pow(a, b): return a + b",
            "assert add(1, 2) == 3\nassert pow(2, 3) == 8",
        ),
        (
            "def sum(items): return items[0] + items[1]",
            "def sum(items): return 0",
            "candidate = sum\ndef check(candidate):\n    assert abs(candidate([1, 2]) - 3) < 1e-6\n"
            "check(candidate)",
        ),
        (
            "from math import gcd",
            "from math import gcd\ndef gcd(a, b): return 7",
            "assert gcd(4, 6) == 2",
        ),
        (
            "from math import gcd as f",
            "from math import gcd as f\ndef g():\n    global f\n    f = max\ng()",
            "assert f(4, 6) == 2",
        ),
    ],
)
def test_a_function_with_a_name_of_the_library_is_tested(right: str, wrong: str, tests: str):
    assert run_tests(right, parse_tests(tests)).outcome is Outcome.PASS
    assert run_tests(wrong, parse_tests(tests)).outcome is Outcome.WRONG


def test_a_variable_of_the_tests_can_not_be_found_by_trying():
    code = (
        "expected = 0\ndef f(callback):\n    global expected\n    for guess in range(90):\n"
        "        expected = guess\n        callback()\n        expected = 'x'\n        callback()\n"
        "    return 'x'\n"
    )
    tests = "expected = 57\nassert f(lambda: 1) == expected"

    assert run_tests(code, parse_tests(tests)).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    "reach",
    [
        "ask('get', '{0.__globals__[expected]}', 'format')(f)",
        "ask('get', '{f.__globals__[expected]}', 'format_map')({'f': f})",
        "ask('special', f, '__getattribute__', ('__globals__',))['expected']",
        "ask('call', ask('get', str, 'format'), ('{0.__globals__[expected]}', f), {})",
        "ask('get', f, '__globals__')['expected']",
        "ask('get', ask('call', type, (f,), {}), '__globals__').__get__(f)['expected']",
        "text.format(f)",
    ],
)
def test_the_codes_own_questions_lead_to_nothing(reach: str):
    code = f"{FIND_PEER}\nask = found['ask']\ndef reach(f, text):\n    return int({reach})\n"
    tests = (
        f"expected = {SECRET}\nclass Text(str): ...\n"
        "assert reach(lambda: expected, Text('{0.__globals__[expected]}')) == expected"
    )
    result = run_tests(code, parse_tests(tests))

    assert result.outcome.failed, result


def test_a_subclass_of_a_data_type_counts_by_its_value_unless_it_changed_what_is_equal():
    code = "class Mine(int): ...\ndef f(x): return Mine(x)"

    assert run_tests(code, parse_tests("assert f(5) == 5")).outcome is Outcome.PASS
    assert run_tests(code, parse_tests("assert f(5) == 6")).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    "reach",
    [
        "f.__globals__",
        "f.__code__",
        "f.__closure__",
        "f.__defaults__",
        "f.__self__",
        "f.__class__.__subclasses__",
        "type(f).__init_subclass__.__self__.__base__",
        "o.inner.gi_frame",
        "o.__dict__",
        "o._hidden",
        "o.__class__.__mro__",
    ],
)
def test_what_the_tests_pass_leads_to_nothing_that_they_know(reach: str):
    """The code may call a callback and read public attributes; it gets no further."""
    code = (
        f"def probe(f, o):\n    try:\n        return str({reach})\n"
        "    except (AttributeError, TypeError):\n        return 'refused'\n"
    )
    tests = (
        f"secret = {SECRET}\nclass Thing:\n    _hidden = secret\n"
        "    def __init__(self): self.inner = (x for x in [secret])\n"
        "found = probe(lambda: secret, Thing())\n"
        f"assert all(word not in found for word in ('{SECRET}', '<frame', '<code', '<cell')), found"
    )
    result = run_tests(code, parse_tests(tests))

    assert result.outcome is Outcome.PASS, result


@pytest.mark.parametrize(
    "frames",
    [
        "b'garbage'",
        'b\'["!", {"end": "finished", "asserts": 9, "functions": ["test_value"], "skipped": []}]\'',
        'b\'["=", "", [], [], [], ["ok", null]]\'',
        'b\'["?", "", [], [], [], ["call", null]]\'',
        'b\'["=", "", [], [[-1, [1]]], [], ["ok", 1]]\'',
        'b\'["=", "", [], [], [], ["ok", {"Z": 1}]]\'',
        "b'[' * 100000",
    ],
)
@pytest.mark.parametrize("when", ["loading", "called"])
def test_a_forged_frame_is_a_violation(frames: str, when: str):
    send = f"found['send']({frames})"
    code = f"{FIND_PEER}\ndef f(x):\n    {send}\n    return 0\n"
    if when == "loading":
        code = f"{FIND_PEER}\n{send}\ndef f(x): return 0\n"
    result = run_tests(code, parse_tests(TESTS))

    # A question is the code's right while it is asked something; it is answered, and no more.
    asked = when == "called" and '"?"' in frames
    assert result.outcome is (Outcome.WRONG if asked else Outcome.PROTOCOL_VIOLATION), result
