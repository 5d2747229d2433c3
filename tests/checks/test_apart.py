"""Tests run apart from the code: what is held, what is told, and what the code can not do.

The programs are real and really run, each in a sandbox; each verdict is the parent's.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from assistant.checks import CheckResult, Limits, run_asserts, run_check, run_tests
from assistant.checks.testfile import parse_tests
from assistant.events import Outcome
from assistant.sandbox import Layer, layers

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")

ADD = "def add(a, b):\n    return a + b\n"
QUICK = Limits(wall_s=40.0, cpu_s=1)


def verdict(code: str, tests: str = "assert True", **settings) -> CheckResult:
    module = settings.pop("module", "")
    settings.setdefault("limits", QUICK)
    return run_tests(code, parse_tests(tests, "test_it.py", module=module), **settings)


@pytest.mark.parametrize(
    ("code", "tests", "outcome", "detail"),
    [
        (ADD, "assert add(1, 2) == 3\nassert add(0, 0) == 0", Outcome.PASS, "2 asserts"),
        (ADD, "def test_one():\n    assert add(1, 2) == 3", Outcome.PASS, "1 test with 1 assert"),
        (
            "async def f():\n    return 1",
            "async def test_f():\n    assert await f() == 1",
            Outcome.PASS,
            "1 test",
        ),
        (
            ADD,
            "assert add(1, 1) == 2\nassert add(2, 2) == 5",
            Outcome.WRONG,
            "test_it.py line 2: assert add(2, 2) == 5 (got 4, expected 5)",
        ),
        (ADD, "assert 5 == add(2, 2)", Outcome.WRONG, "(got 4, expected 5)"),
        (ADD, "assert add(2, 2) > add(2, 3)", Outcome.WRONG, "(left side: 4, right side: 5)"),
        (ADD, "assert not add(2, 2)", Outcome.WRONG, "(got False)"),
        (ADD, "assert add(1, 1) == 3, 'one and one'", Outcome.WRONG, "(one and one)"),
        (
            ADD,
            "def check(f):\n    assert f(1, 1) == 3\ncheck(add)",
            Outcome.WRONG,
            "line 2: assert f(1, 1) == 3",
        ),
        *[
            (
                f"def f(): raise ValueError({argument})",
                "try: f()\nexcept ValueError as error: assert 'xxx' in str(error) == 1, 'seen'",
                Outcome.WRONG,
                "(seen)",
            )
            for argument in ("'x' * 50_000_000", "['x' * 9_000_000]", "[['x'], 'x' * 9_000_000]")
        ],
        (
            "def add(a, b):\n    return a / 0",
            "assert add(1, 1) == 3",
            Outcome.ERROR,
            "ZeroDivisionError: division by zero (line 2 of the code)",
        ),
        (ADD, "assert sub(1, 1) == 0", Outcome.ERROR, "NameError: name 'sub' is not defined"),
        ("import missing_module", "assert True", Outcome.ERROR, "standard library only"),
        (
            "def add(a, b):\n    assert a > b\n    return 0",
            "assert add(1, 2) == 3",
            Outcome.ERROR,
            "AssertionError (line 2 of the code)",
        ),
        ("def f(n):\n    return f(n)", "assert f(1)", Outcome.ERROR, "RecursionError"),
        ("import sys\nsys.exit(0)", "assert False", Outcome.ERROR, "SystemExit: 0"),
        ("def f():\n    raise SystemExit", "assert f()", Outcome.ERROR, "SystemExit"),
        (ADD, "import sys\nassert add(1, 1)\nsys.exit()", Outcome.ERROR, "SystemExit"),
        ("raise KeyboardInterrupt", "assert True", Outcome.ERROR, "KeyboardInterrupt"),
        ("x = 'a' * 10**11", "assert True", Outcome.MEMORY, "memory limit"),
        (
            "def f():\n    kept = []\n    while True:\n        kept.append(bytes(1 << 25))",
            "assert f()",
            Outcome.MEMORY,
            "line 1: assert f()",
        ),
        (ADD, "assert [add(1, 1)] * 10**11", Outcome.MEMORY, "line 1"),
        ("while True:\n    pass", "assert True", Outcome.TIMEOUT, "while the code was loaded"),
        (
            "def f():\n    while True:\n        pass",
            "def test_slow():\n    assert f()",
            Outcome.TIMEOUT,
            "in test_slow, inside the code",
        ),
        (
            ADD,
            "def test_slow():\n    add(1, 2)\n    while True: pass",
            Outcome.TIMEOUT,
            "in test_slow, inside the tests",
        ),
        ("while True:\n    print('PASS')", "assert True", Outcome.OUTPUT_LIMIT, "64 KiB"),
        ("import os\nos._exit(0)", "assert True", Outcome.CRASH, "status 0"),
        ("import os\ndef f(): os._exit(0)", "assert f()", Outcome.CRASH, "inside the code"),
        ("def f(): return 'x' * (2 << 20)", "assert f()", Outcome.PROTOCOL_VIOLATION, "a message"),
        ("f = 1", "if f == 2:\n    assert True", Outcome.NOT_CHECKED, "no assert"),
        (
            "class A: ...",
            "class B(A): ...\nassert B",
            Outcome.NOT_CHECKED,
            "a class B that derives from a class of the code",
        ),
    ],
)
def test_the_verdict_on(code: str, tests: str, outcome: Outcome, detail: str):
    ends = outcome is Outcome.TIMEOUT  # and should do so soon
    found = verdict(code, tests, limits=replace(QUICK, cpu_s=0.4) if ends else QUICK)

    assert found.outcome is outcome, found
    assert detail in found.detail


def test_every_layer_gives_the_same_verdicts_under_its_own_name():
    for layer in layers():
        good, bad = (verdict(ADD, f"assert add(1, 1) == {n}", layer=layer) for n in (2, 3))

        assert (good.outcome, good.layer) == (Outcome.PASS, layer.value)
        assert (bad.outcome, bad.layer) == (Outcome.WRONG, layer.value)


def test_an_unknown_layer_is_no_verdict_on_the_code():
    result = verdict(ADD, layer=Layer.JOB_OBJECT)

    assert (result.outcome, result.layer) == (Outcome.SANDBOX_UNAVAILABLE, "none")


@pytest.mark.parametrize(
    "code",
    [
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP(1)",
        "import pickle\nclass P: ...\npickle.loads(pickle.dumps(P()))",
        "if __name__ == '__main__':\n    raise SystemExit('not when loaded')",
        "import threading\nt = threading.Thread(target=print)\nt.start(); t.join()",
        "print('noise on stdout, far below the limit')",
        "def f():\n    raise ValueError('never called')",
        "import atexit, threading, time\natexit.register(time.sleep, 60)\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()",
    ],
)
def test_ordinary_code_is_not_in_the_way(code: str):
    result = verdict(code)

    assert (result.outcome, result.detail) == (Outcome.PASS, "1 assert held")
    assert result.seconds < 10


def test_a_sleeper_ends_at_the_wall_clock():
    result = verdict("import time\ntime.sleep(60)", limits=Limits(wall_s=0.5))

    assert result.outcome is Outcome.TIMEOUT
    assert "0.5 s" in result.detail


def test_the_code_sees_no_environment_and_no_stdin(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "of the user")
    code = "import os, sys\nseen = 'SECRET_TOKEN' in os.environ, sys.stdin.read()"

    result = verdict(code, "assert seen == (False, '')")

    assert result.outcome is Outcome.PASS, result


def test_sets_have_one_order_so_that_verdicts_repeat():
    code = "order = list({str(n) for n in range(50)})"
    details = {verdict(code, "assert order == 1").detail for _ in range(3)}

    assert len(details) == 1


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", ADD])
def test_setting_stop_ends_a_run_at_once(code: str):
    """Whether the code has the word or the tests."""
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    result = verdict(code, "import time\ntime.sleep(60)\nassert True", limits=Limits(), stop=stop)

    assert (result.outcome, result.detail) == (Outcome.NOT_CHECKED, "the check was cancelled")
    assert time.monotonic() - began < 5


class TestForms:
    """Tests of other shapes than a file of functions."""

    def test_a_list_of_asserts_runs_after_its_setup(self):
        code = "class Node:\n    def __init__(self, v):\n        self.v, self.left = v, None\n"
        code += "def depth(n):\n    return 0 if n is None else 1 + depth(n.left)\n"
        setup = "root = Node(1)\r\nroot.left = Node(2)"

        assert run_asserts(code, ["assert depth(root) == 2"], setup).outcome is Outcome.PASS
        wrong = run_asserts(code, ["assert depth(None) == 0", "assert depth(root) == 3"], setup)
        assert wrong.outcome is Outcome.WRONG
        assert "(got 2, expected 3)" in wrong.detail

    def test_a_check_of_a_candidate(self):
        test = "def check(candidate):\n    assert candidate(1, 2) == 3\n"

        assert run_check(ADD, test, "add").outcome is Outcome.PASS
        named_check = "def check(a, b):\n    return a + b\n"
        assert run_check(named_check, test, "check").outcome is Outcome.PASS
        assert run_check("def add(a, b): return 1", test, "add").outcome is Outcome.WRONG

    CASE = (
        "import unittest\nclass AddCase(unittest.TestCase):\n"
        "    def setUp(self):\n        self.one = 1\n"
        "    def test_sum(self):\n        self.assertEqual(add(self.one, 1), {})\n"
        "    def test_type(self):\n        with self.assertRaises(TypeError):\n"
        "            add('a', 1)\n"
    )

    def test_cases_of_unittest(self):
        assert verdict(ADD, self.CASE.format(2)).detail == "2 tests held"
        wrong = verdict(ADD, self.CASE.format(3))
        assert wrong.outcome is Outcome.WRONG
        assert "line 6: self.assertEqual(add(self.one, 1), 3) (2 != 3)" in wrong.detail

    def test_a_skipped_test_is_no_pass(self):
        tests = self.CASE.format(2).replace(
            "    def test_sum", "    @unittest.skip('later')\n    def test_sum"
        )
        result = verdict(ADD, tests)

        assert result.outcome is Outcome.NOT_CHECKED
        assert "later" in result.detail

    def test_plain_classes(self):
        tests = (
            "class TestAdd:\n    def setup_method(self, method):\n        self.one = 1\n"
            "    def test_sum(self):\n        assert add(self.one, 1) == {}\n"
        )

        assert verdict(ADD, tests.format(2)).detail == "1 test with 1 assert held"
        assert verdict(ADD, tests.format(3)).outcome is Outcome.WRONG

    def test_a_file_is_imported_by_its_own_name(self):
        tests = (
            "import shop.cart\nfrom shop import cart\nfrom shop.cart import add as plus\n"
            "assert plus(1, 1) == cart.add(1, 1) == shop.cart.add(1, 1) == 2"
        )

        assert verdict(ADD, tests, module="cart").outcome is Outcome.PASS

    def test_parts_of_the_code_and_of_the_library_can_be_replaced(self):
        code = (
            "import time\ndef helper(): return 1\n"
            "def greet():\n    time.sleep(100)\n    print('hello', input(), helper())\n"
        )
        tests = (
            "import contextlib, io\nfrom unittest.mock import patch\nimport greeting\n"
            "@patch('time.sleep')\n@patch('greeting.helper', return_value=7)\n"
            "@patch('builtins.input', return_value='Ann')\n"
            "def test_it(asked, helped, slept):\n    out = io.StringIO()\n"
            "    with contextlib.redirect_stdout(out):\n        greeting.greet()\n"
            "    assert out.getvalue() == 'hello Ann 7\\n'\n"
            "    slept.assert_called_once_with(100)\n"
            "def test_put_back():\n    assert greeting.helper() == 1\n"
        )

        result = verdict(code, tests, module="greeting")

        assert result.outcome is Outcome.PASS, result
