"""Verdicts on calls: real programs in a real sandbox, and no way to talk the judge into a pass."""

from __future__ import annotations

import collections
import decimal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from assistant.checks.calls import Call, judge_calls
from assistant.checks.compare import Equality
from assistant.checks.program import Program, Stopped, packed_arguments
from assistant.checks.result import CheckResult
from assistant.checks.values import encode
from assistant.events import Outcome
from assistant.sandbox import Limits, layers

pytestmark = pytest.mark.skipif(not layers(), reason="no layer of isolation works here")

CALLS = [Call((1,), 2), Call((41,), 42), Call((-5,), -4)]
RIGHT = "def f(x):\n    return x + 1\n"
NUL = "SyntaxError" if sys.version_info >= (3, 11, 4) else "ValueError"
QUICK = Limits(cpu_s=2, wall_s=20)


def judge(source: str, calls: list[Call] = CALLS, **more: Any) -> CheckResult:
    return judge_calls(source, "f", calls, **{"limits": QUICK, **more})


@pytest.mark.parametrize(
    ("source", "outcome", "kind", "detail"),
    [
        (RIGHT, Outcome.PASS, "", "3 calls gave what was expected"),
        ("\ufeff" + RIGHT, Outcome.PASS, "", "3 calls"),
        (RIGHT.replace("\n", "\r\n"), Outcome.PASS, "", "3 calls"),
        (RIGHT.replace("\n", "\r"), Outcome.PASS, "", "3 calls"),
        ("from __future__ import annotations\n" + RIGHT, Outcome.PASS, "", "3 calls"),
        ("async " + RIGHT, Outcome.PASS, "", "3 calls"),
        ("if __name__ == '__main__':\n    1 / 0\n" + RIGHT, Outcome.PASS, "", "3 calls"),
        ("print('PASS')\n" + RIGHT, Outcome.PASS, "", "3 calls"),
        ("def f(x): return 0", Outcome.WRONG, "", "f(1) gave 0, expected 2"),
        ("def f(x): return x + 1.0", Outcome.WRONG, "", "f(1) gave 2.0, expected 2"),
        ("def f(x): return True", Outcome.WRONG, "", "gave True"),
        ("def f(x): return float('nan')", Outcome.WRONG, "", "gave nan"),
        ("def f(x): return 10 ** 5000", Outcome.WRONG, "", "too long to be shown"),
        ("n = [0]\ndef f(x):\n    n[0] += 1\n    return n[0] + 1", Outcome.WRONG, "", "f(41)"),
        ("def f(x):\n    return x / 0", Outcome.ERROR, "ZeroDivisionError", "(line 2 of the code)"),
        ("1 / 0", Outcome.ERROR, "ZeroDivisionError", "(line 1 of the code)"),
        ("x = 1", Outcome.ERROR, "NameError", "name 'f' is not defined"),
        ("f = 1", Outcome.ERROR, "TypeError", "not callable"),
        ("def f(: pass", Outcome.ERROR, "SyntaxError", ""),
        ("def f(x):\n    return '''open", Outcome.ERROR, "SyntaxError", ""),
        (RIGHT + "\\", Outcome.ERROR, "SyntaxError", ""),
        # A ValueError until Python 3.11.4.
        ("x = '\0'\n" + RIGHT, Outcome.ERROR, NUL, ""),
        ("x = '\ud800'\n" + RIGHT, Outcome.ERROR, "UnicodeEncodeError", ""),
        ("if 1:\n\tx = 1\n        y = 2\n" + RIGHT, Outcome.ERROR, "TabError", ""),
        ("def f(x): return f(x)", Outcome.ERROR, "RecursionError", ""),
        ("def f(x): raise SystemExit(0)", Outcome.ERROR, "SystemExit", ""),
        ("import sys; sys.exit(0)", Outcome.ERROR, "SystemExit", ""),
        ("raise KeyboardInterrupt", Outcome.ERROR, "KeyboardInterrupt", ""),
        ("input()", Outcome.ERROR, "EOFError", ""),
        ("import numpy", Outcome.ERROR, "ModuleNotFoundError", "the standard library only"),
        ("def f(x): return object()", Outcome.ERROR, "TypeError", "no plain data"),
        ("def f(x):\n    yield 2", Outcome.ERROR, "TypeError", "no plain data"),
        ("a = []; a.append(a)\ndef f(x): return a", Outcome.ERROR, "ValueError", "nested deeper"),
        ("x = bytearray(8 << 30)", Outcome.MEMORY, "MemoryError", "memory limit"),
        ("a = []\nwhile 1: a.append(bytearray(64 << 20))", Outcome.MEMORY, "MemoryError", ""),
        ("import os; os._exit(0)", Outcome.CRASH, "", "status 0 before the last answer"),
        ("import ctypes; ctypes.string_at(0)", Outcome.CRASH, "", "signal 11"),
        ("import os; os.closerange(3, 99)\n" + RIGHT, Outcome.CRASH, "", ""),
        ("while 1: print('x' * 1000)", Outcome.OUTPUT_LIMIT, "", ""),
        ("def f(x): raise ValueError('x' * 50_000_000)", Outcome.ERROR, "ValueError", "xxx"),
        ("def f(x): raise ValueError(['x' * 9_000_000])", Outcome.ERROR, "ValueError", "xxx"),
        ("def f(x): return 'x' * (50 << 20)", Outcome.PROTOCOL_VIOLATION, "", "f(1)"),
        ("import time; time.sleep(0.01)\n" + RIGHT, Outcome.PASS, "", ""),
    ],
)
def test_the_verdict_on_a_program(source: str, outcome: Outcome, kind: str, detail: str) -> None:
    result = judge(source)
    assert (result.outcome, result.kind) == (outcome, kind), result
    assert detail in result.detail
    assert result.layer == layers()[0].value
    assert result.seconds > 0


FAKES = {
    "always equal": "class E:\n  def __eq__(s, o): return True\ndef f(x): return E()",
    "int that lies": "class E(int):\n  def __eq__(s, o): return True\ndef f(x): return E()",
    "frame walk": """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for name in ("expected", "wanted", "want", "tests", "calls", "current"):
            if name in frame.f_locals: return frame.f_locals[name]
        frame = frame.f_back
    return 0""",
    "every object": """
import gc
def f(x):
    for one in gc.get_objects():
        if type(one) is dict and "expected" in one: return one["expected"]
    return 0""",
    "patched builtins": """
import builtins, json, operator
for name in ("len", "abs", "isinstance", "type", "repr", "format", "getattr"):
    setattr(builtins, name, lambda *a, **k: 2)
json.loads = json.dumps = operator.eq = lambda *a, **k: 2
def f(x): return 0""",
    "patched modules": """
import sys, marshal, types
marshal.loads = marshal.dumps = lambda *a: 2
types.CoroutineType = int
sys.modules.clear()
def f(x): return 0""",
}


@pytest.mark.parametrize("name", FAKES)
def test_a_fake_is_never_a_pass(name: str) -> None:
    assert judge(FAKES[name]).outcome.failed


REACH = """
import sys
def reach(name):
    frame = sys._getframe()
    while name not in frame.f_locals and name not in frame.f_globals:
        frame = frame.f_back
    return frame.f_locals.get(name) or frame.f_globals[name]
send = reach("send")
def say(text):
    send(text.replace("ID", reach("question")).encode("latin-1"))
"""
ANSWERS = [
    '{"id": "0", "value": 2}',
    '{"id": "ID", "value": 2',
    '{"id": "ID", "value": 2}}',
    '{"id": "ID", "value": 2]',
    '{"id": "ID", "value": 2, "value": 3}',
    '{"id": "ID", "value": {"t": 2}}',
    '{"id": "ID", "value": }',
    '{"id": "ID", "value": NaN}',
    '{"id": "ID", "value": {"h": 1}}',
    '{"id": "ID", "value": {"t": [1], "t": [2]}}',
    '{"id": "ID", "value": ' + "9" * 5000 + "}",
    '{"id": "ID", "value": ' + "[" * 100_000 + "}",
    '{"id": "ID", "value": ' + "[" * 200 + "]" * 200 + "}",
    '{"id": "ID", "other": 2}',
    '{"id": "ID", "raised": 2}',
    '{"id": "ID", "raised": ["A", [], "m"]}',
    '{"id": "ID", "raised": [1, [], "m", 1]}',
    '{"value": 2, "id": "ID"}',
    "ID",
    "\x80\x04pickle\n",
    "",
]


@pytest.mark.parametrize("text", ANSWERS, ids=lambda text: text[:40])
def test_what_is_no_answer_is_a_violation(text: str) -> None:
    source = f"{REACH}\ndef f(x):\n    say({text!r})\n    return 0"
    result = judge(source, [Call((1,), 2)])
    assert result.outcome is Outcome.PROTOCOL_VIOLATION, result


def test_an_answer_before_the_question_is_a_violation() -> None:
    forged = 'send(b\'{"id": "0", "value": 2}\')\n' * 3
    assert judge(REACH + forged + RIGHT).outcome is Outcome.PROTOCOL_VIOLATION


def test_a_second_answer_is_no_answer_to_the_next_question() -> None:
    source = REACH + 'def f(x):\n    say(\'{"id": "ID", "value": 2}\')\n    return 2'
    result = judge(source, [Call((1,), 2), Call((1,), 2)])
    assert result.outcome is Outcome.PROTOCOL_VIOLATION


def test_a_flood_on_the_channel_ends() -> None:
    source = REACH + "while 1: send(b'x' * 65536)"
    assert judge(source).outcome is Outcome.PROTOCOL_VIOLATION


def test_a_forged_exception_is_a_failure_like_any_other() -> None:
    text = '{"id": "ID", "raised": ["A", [{"T": "int"}, 5], "m", 1]}'
    result = judge(f"{REACH}\ndef f(x): say({text!r})")
    assert (result.outcome, result.kind) == (Outcome.ERROR, "A")


def test_a_loop_ends_by_the_limit_of_one_call_or_of_the_process() -> None:
    for source in ("while 1: pass", "def f(x):\n    while 1: pass"):
        assert judge(source, call_cpu_s=0.2).outcome is Outcome.TIMEOUT
        assert judge(source, limits=Limits(cpu_s=0.5)).outcome is Outcome.TIMEOUT
    result = judge("import time\ndef f(x): time.sleep(99)", call_wall_s=0.2)
    assert result.outcome is Outcome.TIMEOUT
    assert result.seconds < 10


def test_even_the_last_byte_of_memory_is_told_of() -> None:
    # Small objects, all still held when the last one finds no room.
    source = """
class Node:
    __slots__ = ("next",)
first = None
while True:
    node = Node()
    node.next = first
    first = node
"""
    result = judge(source, limits=Limits(memory_mb=33, cpu_s=10))
    assert result.outcome is Outcome.MEMORY, result


def test_a_slow_drip_ends_by_the_limit_of_the_process() -> None:
    source = "import time\ndef f(x):\n    time.sleep(0.1)\n    return x + 1"
    calls = [Call((x,), x + 1) for x in range(1000)]
    assert judge(source, calls, limits=Limits(wall_s=1), call_wall_s=5).outcome is Outcome.TIMEOUT


def test_stopping_from_another_thread_ends_it() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    result = judge("while 1: pass", stop=stop, limits=Limits(cpu_s=60, wall_s=60))
    assert result.outcome is Outcome.NOT_CHECKED
    assert time.monotonic() - started < 20


def test_what_the_program_leaves_running_changes_nothing() -> None:
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n"
    result = judge(source + RIGHT)
    assert result.outcome is Outcome.PASS
    assert result.seconds < 10


def test_arguments_are_new_for_every_call() -> None:
    source = "def f(x):\n    x.append(9)\n    return x"
    again = [1]
    calls = [Call((again,), [1, 9]), Call((again,), [1, 9]), Call((), [5, 9], {"x": [5]})]
    assert judge(source, calls).outcome is Outcome.PASS
    assert again == [1]


VALUES: list[Any] = [
    None,
    [1, (2, {3: {4}})],
    bytearray(b"a"),
    [b"a", bytearray(b"b")],
    range(3),
    int,
    collections.Counter("aab"),
    collections.deque([1], 3),
    decimal.Decimal("1.50"),
    "\ud800",
    {"a": [1.5, -0.0, 2**70]},
    frozenset([frozenset([1])]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_plain_value_goes_in_and_comes_out(value: Any) -> None:
    source = "def f(x, *, y=None):\n    return (type(x).__name__, x, y)"
    expected = (type(value).__name__, value, value)
    assert judge(source, [Call((value,), expected, {"y": value})]).outcome is Outcome.PASS


def test_equality_and_tolerance_are_those_of_the_comparison() -> None:
    source = "def f(x): return [x + 1.0]"
    call = [Call((1,), [2])]
    assert judge(source, call).outcome is Outcome.WRONG
    assert judge(source, call, equality=Equality.PYTHON).outcome is Outcome.PASS
    near = [Call((1.05,), [2.0])]
    assert judge(source, near).outcome is Outcome.WRONG
    assert judge(source, near, abs_tol=0.1).outcome is Outcome.PASS
    nan = "def f(x): return float('nan')"
    assert judge(nan, [Call((1,), float("nan"))]).outcome is Outcome.WRONG
    assert judge(nan, [Call((1,), float("nan"))], nan_equal=True).outcome is Outcome.PASS


def test_an_answer_may_be_twice_as_long_as_the_expected_one() -> None:
    source = "def f(x): return 'a' * x"
    small = Limits(message_kb=1)
    assert judge(source, [Call((50_000,), "a" * 50_000)], limits=small).outcome is Outcome.PASS
    result = judge(source, [Call((500_000,), "a" * 50_000)], limits=small)
    assert result.outcome is Outcome.PROTOCOL_VIOLATION


def test_without_calls_nothing_is_checked() -> None:
    assert judge(RIGHT, []).outcome is Outcome.NOT_CHECKED


def test_what_is_asked_wrongly_is_an_error_of_ours() -> None:
    for call in (Call((object(),), 1), Call((1,), object())):
        with pytest.raises(TypeError):
            judge(RIGHT, [call])


def test_methods_and_names_of_the_module() -> None:
    source = "class A:\n    @staticmethod\n    def g(x): return [x, __name__]\n"
    with Program(source, QUICK, name="shapes") as program:
        program.load()
        assert program.call("A.g", [1]) == [1, "shapes"]
        assert program.call_encoded("A.g", packed_arguments([1])) == encode([1, "shapes"])
        with pytest.raises(Stopped) as caught:
            program.call("A.h")
        assert caught.value.kind == "AttributeError"
        # An error is no end: the next question is answered.
        assert program.call("A.g", [2]) == [2, "shapes"]


def test_what_was_raised_comes_as_data() -> None:
    source = """
class Odd(type):
    __name__ = property(lambda cls: 1 / 0)
class Mine(ValueError, metaclass=Odd):
    args = property(lambda self: 1 / 0)
    def __str__(self): raise SystemExit
def f(x):
    if x: raise Mine(1)
    raise KeyError("k", 2)
"""
    with Program(source, QUICK) as program:
        program.load()
        with pytest.raises(Stopped) as caught:
            program.call("f", [0])
        raised = caught.value.raised
        assert raised is not None
        assert (raised.kind, raised.message, raised.line) == ("KeyError", "('k', 2)", 9)
        assert raised.bases[:3] == [KeyError, LookupError, Exception]
        with pytest.raises(Stopped) as caught:
            program.call("f", [1])
        raised = caught.value.raised
        assert raised is not None
        assert (raised.kind, raised.bases[0]) == ("Mine", ValueError)


def test_recursion_is_as_deep_as_in_a_program_of_its_own() -> None:
    source = "def f(n=1):\n    try: return f(n + 1)\n    except RecursionError: return n\n"
    bare = subprocess.run([sys.executable, "-c", source + "print(f())"], capture_output=True)
    with Program(f"{source}top = f()\ndef loaded(): return top", QUICK) as program:
        program.load()
        assert program.call("loaded") == int(bare.stdout)
        assert int(bare.stdout) <= program.call("f") <= int(bare.stdout) + 4


@pytest.mark.parametrize("name", ["<answer>", "__main__", "sys", "ä"])
def test_any_name_will_do(name: str) -> None:
    assert judge(RIGHT, name=name).outcome is Outcome.PASS
