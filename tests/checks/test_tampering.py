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
            "class Almost:\n    def __round__(self, n=0): return 0\n"
            "    def __sub__(self, o): return self\n"
            "def f(x): return Almost()",
            "assert round(f(1) - 2.5, 3) == 0",
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
