"""An edit of a file is judged where the file lies: what it breaks, and nothing else."""

from __future__ import annotations

import sys
import threading
import venv
from pathlib import Path

import psutil
import pytest

from assistant.checks import placed
from assistant.checks.inplace import check_in_place
from assistant.checks.result import CheckResult
from assistant.events import Outcome
from assistant.sandbox import Layer, layers

real = pytest.mark.skipif(
    not {Layer.BUBBLEWRAP, Layer.LANDLOCK} & set(layers()), reason="no layer shows a project here"
)

STUB = '''\
"""Carts."""

from .rates import FEE


def total(prices):
    """The sum with the fee.

    >>> total([1, 2])
    8
    """


def other():
    """
    >>> other()
    'wrong'
    """
'''
RIGHT = STUB.replace('8\n    """\n', '8\n    """\n    return sum(prices) + FEE\n', 1)
DOUBLED = RIGHT.replace("sum(prices)", "2 * sum(prices)")
NO_EXAMPLE = RIGHT.replace("    >>> total([1, 2])\n    8\n", "")
WITHOUT_FEE = NO_EXAMPLE.replace(" + FEE", "")
TESTS = """\
import pytest
from shop.cart import other, total

@pytest.fixture
def prices(): return [1, 2]

def test_total(prices):
    assert total(prices) == 8

class TestEmpty:
    def test_nothing(self): assert total([]) == 5
    def test_other(self): assert other() == "never"

def test_another(): raise AssertionError("has nothing to do with it")
"""
PLAIN = "from shop import total\ndef test_total():\n    assert total([1, 2]) == 8\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project; in the file on disk is the stub."""
    folder = tmp_path / "project" / "shop"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from .cart import total\n")
    (folder / "rates.py").write_text("FEE = 5\n")
    (folder / "cart.py").write_text(STUB)
    return folder


def put_tests(shop: Path, text: str, name: str = "tests/test_cart.py") -> None:
    file = shop.parent / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def judged(shop: Path, after: str, before: str = STUB, **options: object) -> CheckResult:
    where = {"path": shop / "cart.py", "project": shop.parent, "function": "total"}
    return check_in_place(before, after, **(where | options))  # type: ignore[arg-type]


class TestStatic:
    """What is found without running anything."""

    @pytest.mark.parametrize(
        ("before", "after", "outcome", "detail"),
        [
            ("x = 1\n", "x = (\n", Outcome.ERROR, "SyntaxError at line 1"),
            ("x = (\n", "x = ((\n", Outcome.NOT_CHECKED, "did not without the edit (SyntaxError"),
            ("", "def f():\n    return invented\n", Outcome.ERROR, "invented is not defined"),
            ("print(spark)\n", "print(spark)\nx = 1\n", Outcome.PARSED, "nothing of it was run"),
            ("print(spark)\n", "print(spark, more)\n", Outcome.ERROR, "more is not defined"),
            # Before the edit nobody could tell; a name that stood there may be defined somewhere.
            ("def f(:\n  spark\n", "def f():\n  spark\n", Outcome.PARSED, "its names resolve"),
            ("def f(:\n  spark\n", "def f():\n  sparks\n", Outcome.ERROR, "sparks is not"),
            ("from x import *\n", "from x import *\nprint(y)\n", Outcome.PARSED, "names resolve"),
        ],
    )
    def test_what_the_edit_breaks(self, before, after, outcome: Outcome, detail: str):
        result = check_in_place(before, after)

        assert (result.outcome, result.layer) == (outcome, "none"), result
        assert detail in result.detail

    def test_other_languages_are_parsed_at_most(self):
        for text in ("x = (\n", "fn f() {}\n"):
            result = check_in_place("", text, language="cobol", function="f")

            assert result.outcome is Outcome.NOT_CHECKED
            assert "tree-sitter-cobol" in result.detail


@real
class TestExamples:
    """Of the function that was written, in its package, as the edit makes it."""

    def test_they_hold(self, shop: Path):
        result = judged(shop, RIGHT)

        assert (result.outcome, result.layer) == (Outcome.PASS, layers()[0].value)
        assert result.detail == "the docstring of total: 1 example gave what the docstring shows"

    def test_they_fail(self, shop: Path):
        result = judged(shop, DOUBLED)

        assert result.outcome is Outcome.WRONG
        assert result.detail == (
            "the docstring of total: line 9: total([1, 2]) gave 11, expected 8"
        )

    def test_the_file_need_not_be_on_disk_nor_in_a_project(self, tmp_path: Path):
        alone = RIGHT.replace("from .rates import FEE", "FEE = 5")

        for path in (None, tmp_path / "new.py"):
            result = check_in_place("", alone, path=path, function="total")
            assert result.outcome is Outcome.PASS, result

    def test_a_method_has_its_own(self, shop: Path):
        text = (
            'class A:\n    def f(self):\n        """\n        >>> A().f()\n        1\n        """\n'
        )
        good, bad = f"{RIGHT}{text}        return 1\n", f"{RIGHT}{text}        return 2\n"

        assert judged(shop, good, function="A.f").outcome is Outcome.PASS
        assert judged(shop, bad, function="A.f").outcome is Outcome.WRONG
        assert judged(shop, bad, function="A.g").outcome is Outcome.PARSED

    def test_there_are_none(self, shop: Path):
        result = judged(shop, NO_EXAMPLE)

        assert result.outcome is Outcome.PARSED
        assert result.detail.endswith("no examples and no tests of total were found")

    def test_secrets_are_masked(self, shop: Path):
        secret = shop.parent / ".env"
        secret.write_text("KEY=1")
        example = f">>> open({str(secret)!r}).read()\n    'KEY=1'"
        after = f'{NO_EXAMPLE}\ndef leak():\n    """\n    {example}\n    """\n'
        result = judged(shop, after, function="leak")

        assert "KEY=1" not in result.detail
        assert result.outcome is not Outcome.PASS


@real
class TestRelated:
    """Tests that are about the function, and those alone."""

    def test_they_hold(self, shop: Path):
        put_tests(shop, TESTS)
        result = judged(shop, RIGHT)

        assert result.outcome is Outcome.PASS, result
        assert result.detail == (
            "the docstring of total: 1 example gave what the docstring shows; "
            "tests/test_cart.py: 2 tests with 2 asserts held"
        )

    def test_they_fail_by_what_the_edit_says(self, shop: Path):
        """Not by the file on disk, which raises nothing and returns nothing."""
        put_tests(shop, TESTS)
        result = judged(shop, WITHOUT_FEE)

        assert result.outcome is Outcome.WRONG
        assert result.detail == (
            "tests/test_cart.py line 8: assert total(prices) == 8 (got 3, expected 8)"
        )

    @pytest.mark.parametrize(
        "name", ["shop/test_cart.py", "shop/cart_test.py", "shop/tests/unit/test_shop_cart.py"]
    )
    def test_they_are_found_by_their_names(self, shop: Path, name: str):
        put_tests(shop, PLAIN, name)

        assert judged(shop, NO_EXAMPLE).outcome is Outcome.PASS
        assert judged(shop, WITHOUT_FEE).outcome is Outcome.WRONG

    @pytest.mark.parametrize("name", ["tests/test_other.py", "tests/.hidden/test_cart.py"])
    def test_other_files_are_left_alone(self, shop: Path, name: str):
        put_tests(shop, PLAIN, name)

        assert judged(shop, WITHOUT_FEE).outcome is Outcome.PARSED

    def test_three_files_at_most(self, shop: Path):
        for number in range(5):
            put_tests(shop, PLAIN, f"tests/test_cart_{number}.py")

        assert judged(shop, NO_EXAMPLE).detail.count("tests/test_cart_") == 3

    def test_helpers_beside_the_tests_are_found(self, shop: Path):
        put_tests(shop, "def cases(): return [1, 2]\n", "tests/helpers.py")
        put_tests(shop, f"from helpers import cases\n{PLAIN.replace('[1, 2]', 'cases()')}")

        assert judged(shop, NO_EXAMPLE).outcome is Outcome.PASS

    def test_a_package_that_lies_deeper_is_found(self, shop: Path):
        lower = shop.parent / "backend"
        lower.mkdir()
        shop.rename(lower / "shop")
        put_tests(lower / "shop", PLAIN)
        options = {"path": lower / "shop" / "cart.py", "project": shop.parent}

        assert judged(shop, RIGHT, **options).detail.count(";") == 1
        assert judged(shop, WITHOUT_FEE, **options).outcome is Outcome.WRONG


@real
class TestExcused:
    """What can not run here is told, and is no failure of the edit."""

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            ("import factories_of_mine\n", "No module named 'factories_of_mine'"),
            ("from shop.rates import NOWHERE\n", "cannot import name 'NOWHERE'"),
            ("open('/nowhere/there')\n", "FileNotFoundError"),
            ("import socket\nsocket.create_connection(('127.0.0.1', 9))\n", "Error"),
            ("{}['key']\n", "KeyError"),
            ("def test_0():\n    total([])\n    open('/nowhere/there')\n", "FileNotFoundError"),
            ("import pytest\ndef test_db(database): total([])\n", "the fixture database"),
        ],
    )
    def test_tests_that_need_what_is_not_here(self, shop: Path, lines: str, said: str):
        put_tests(shop, lines + PLAIN)
        result = judged(shop, RIGHT)

        assert result.outcome is Outcome.PASS, result
        assert "tests/test_cart.py says nothing of the edit: " in result.detail
        assert said in result.detail

    def test_a_package_that_the_file_imported_before(self, shop: Path):
        put_tests(shop, PLAIN)
        result = judged(shop, f"import pandas_of_mine\n{RIGHT}", f"import pandas_of_mine\n{STUB}")

        assert result.outcome is Outcome.PARSED
        assert result.detail.count("No module named 'pandas_of_mine'") == 2

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("import pandas_of_mine", "No module named 'pandas_of_mine'"),
            ("from .rates import TAX", "cannot import name 'TAX'"),
        ],
    )
    def test_an_import_that_the_edit_brings_is_a_failure(self, shop: Path, line: str, said: str):
        result = judged(shop, RIGHT.replace("    return", f"    {line}\n    return"))

        assert result.outcome is Outcome.ERROR
        assert said in result.detail

    @pytest.mark.parametrize("stub", [STUB, STUB.replace("def total(prices)", "def total(prices")])
    def test_a_file_that_could_not_be_loaded_before(self, shop: Path, stub: str):
        """Or that did not even parse, and fails outside of the edit."""
        line = "\n\nTABLE = {}['nothing']\n"
        result = judged(shop, RIGHT + line, stub + line)

        assert result.outcome is Outcome.PARSED
        assert "KeyError" in result.detail
        assert "with the edit or without" in result.detail

    def test_a_file_that_the_edit_keeps_from_being_loaded(self, shop: Path):
        line = "\n\nTABLE = total(prices=[1])\n"
        after = RIGHT.replace("def total(prices)", "def total(values, prices)") + line
        result = judged(shop, after, STUB + line)

        assert result.outcome is Outcome.ERROR
        assert "TypeError" in result.detail

    def test_a_name_that_the_edit_takes_away(self, shop: Path):
        result = judged(shop, RIGHT.replace("total", "sum_of"), function="sum_of")

        assert result.outcome is Outcome.ERROR
        assert "cannot import name 'total'" in result.detail

    def test_a_home_folder_is_no_project(self, shop: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HOME", str(shop.parent))
        result = judged(shop, RIGHT)

        assert result.outcome is Outcome.PARSED
        assert "holds a home folder" in result.detail


FUNCTION = NO_EXAMPLE.replace("sum(prices)", "0")
CAPTURED = """\
import sys
from shop.cart import total
def test_total(capsys):
    total([])
    assert capsys.readouterr().err == "adding"
"""
LOUD = NO_EXAMPLE.replace("    return", "    import sys; sys.stderr.write('adding')\n    return")


@real
class TestFailures:
    """A failure of the tests is the edit's, unless it can not be."""

    def test_what_holds_only_in_one_process_is_neither_passed_nor_failed(self, shop: Path):
        put_tests(shop, CAPTURED)
        result = judged(shop, LOUD)

        assert result.outcome is Outcome.PARSED, result
        assert "they hold beside the code in one process, which proves nothing" in result.detail
        assert judged(shop, NO_EXAMPLE).outcome is Outcome.WRONG

    def test_what_the_code_makes_hold_there_is_no_pass(self, shop: Path):
        """It writes into the module of the tests, which it can reach in one process only."""
        put_tests(shop, PLAIN)
        cheat = "    __import__('sys').modules['test_cart'].total = lambda prices: 8\n    return"
        cheat += " type('Eight', (int,), {'__eq__': lambda *both: True})(7)\n#"
        result = judged(shop, NO_EXAMPLE.replace("    return", cheat))

        assert result.outcome is not Outcome.PASS, result

    def test_a_refusal_of_the_system_at_the_bottom_of_another_error(self, shop: Path):
        wrapped = (
            "    try: open('/nowhere')\n"
            "    except OSError as error: raise ValueError('wrapped') from error\n    return"
        )
        put_tests(shop, PLAIN)
        result = judged(shop, NO_EXAMPLE.replace("    return", wrapped))

        assert result.outcome is Outcome.PARSED, result
        assert "the sandbox does not give them what they need" in result.detail

    def test_tests_that_failed_before_in_the_same_way_are_told(self, shop: Path):
        put_tests(shop, PLAIN.replace("8", "9"))
        same = judged(shop, NO_EXAMPLE, NO_EXAMPLE + "# more\n")
        other = judged(shop, NO_EXAMPLE, FUNCTION)
        stub = judged(shop, NO_EXAMPLE, STUB)

        assert same.outcome is Outcome.PARSED
        assert "without it they fail in the same way: tests/test_cart.py line 3" in same.detail
        assert other.outcome is stub.outcome is Outcome.WRONG

    def test_a_stub_that_fails_in_the_same_way_excuses_nothing(self, shop: Path):
        put_tests(shop, PLAIN)
        nothing = NO_EXAMPLE.replace("return sum(prices) + FEE", "return None")

        assert judged(shop, nothing, STUB).outcome is Outcome.WRONG


@real
class TestFixtures:
    """Those of `conftest.py`, and packages of tests."""

    def test_they_are_found_outermost_first(self, shop: Path):
        fixture = "import pytest\n@pytest.fixture\ndef prices(){}\n"
        put_tests(shop, fixture.format(": return [1]"), "conftest.py")
        put_tests(shop, fixture.format(": return [1, 2]"), "tests/conftest.py")
        put_tests(shop, PLAIN.replace("()", "(prices)").replace("[1, 2]", "prices"))

        assert judged(shop, NO_EXAMPLE).outcome is Outcome.PASS
        assert judged(shop, WITHOUT_FEE).outcome is Outcome.WRONG

    def test_those_that_nobody_asks_for_run_too(self, shop: Path):
        auto = (
            "import pytest, os\n@pytest.fixture(autouse=True)\ndef set(): os.environ['A'] = '8'\n"
        )
        put_tests(shop, auto, "tests/conftest.py")
        put_tests(shop, "import os\n" + PLAIN.replace("== 8", "== int(os.environ['A'])"))

        assert judged(shop, NO_EXAMPLE).outcome is Outcome.PASS

    def test_one_that_can_not_be_loaded_is_told(self, shop: Path):
        put_tests(shop, "import nowhere\n", "tests/conftest.py")
        put_tests(shop, PLAIN)
        result = judged(shop, WITHOUT_FEE)

        assert result.outcome is Outcome.PARSED
        assert "conftest.py, which can not be loaded: ModuleNotFoundError" in result.detail

    def test_a_package_of_tests_imports_from_itself(self, shop: Path):
        put_tests(shop, "", "tests/__init__.py")
        put_tests(shop, "CASE = [1, 2]\n", "tests/cases.py")
        for line in ("from tests.cases import CASE", "from .cases import CASE"):
            put_tests(shop, f"{line}\n{PLAIN.replace('[1, 2]', 'CASE')}")

            assert judged(shop, NO_EXAMPLE).outcome is Outcome.PASS

    def test_the_file_knows_where_it_lies(self, shop: Path):
        """In an example, beside tests, and in tests of their own."""
        (shop / "fee.txt").write_text("5")
        line = (
            "from pathlib import Path\nFEE = int((Path(__file__).parent / 'fee.txt').read_text())"
        )
        put_tests(shop, PLAIN)
        result = judged(shop, RIGHT.replace("from .rates import FEE", line))

        assert result.outcome is Outcome.PASS
        assert "says nothing" not in result.detail


@real
class TestPython:
    """The project's own, with what is installed for it."""

    @pytest.fixture
    def environment(self, shop: Path) -> Path:
        venv.create(shop.parent / ".venv", symlinks=True)
        (packages,) = (shop.parent / ".venv").glob("lib/python*/site-packages")
        (packages / "prices_of_mine.py").write_text("FEE = 5\n")
        return shop.parent / ".venv"

    def test_what_is_installed_is_there(self, shop: Path, environment: Path):
        installed = RIGHT.replace("from .rates", "from prices_of_mine")
        put_tests(shop, PLAIN)

        assert judged(shop, installed).detail.count(";") == 1
        assert judged(shop, installed).outcome is Outcome.PASS

    def test_another_version_runs_examples_too(self, shop: Path):
        others = sorted(Path(sys.base_prefix).parent.glob("3.*/bin/python3"))
        others = [p for p in others if p.parent.parent.name.startswith(("3.8.", "3.12.", "3.13."))]
        if not others:
            pytest.skip("there is no other Python beside this one")
        for python in others:
            (shop.parent / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
            link = shop.parent / ".venv" / "bin" / "python"
            link.unlink(missing_ok=True)
            link.symlink_to(python)

            assert judged(shop, RIGHT).outcome is Outcome.PASS, python


@real
class TestEnds:
    """Cancelled, or out of time: nothing is left, and nothing is called a failure."""

    def endless(self, shop: Path) -> None:
        put_tests(shop, PLAIN.replace("    assert", "    while True: pass\n    assert"))

    def test_cancelling_leaves_nothing_behind(self, shop: Path):
        self.endless(shop)
        us, stop, found = psutil.Process(), threading.Event(), []
        before = set(us.children(recursive=True))
        running = threading.Thread(target=lambda: found.append(judged(shop, NO_EXAMPLE, stop=stop)))
        running.start()
        while len(set(us.children(recursive=True)) - before) < 2:
            pass
        stop.set()
        running.join(10)

        assert [(one.outcome, one.detail) for one in found] == [
            (Outcome.NOT_CHECKED, "the check was cancelled")
        ]
        assert set(us.children(recursive=True)) <= before

    def test_what_is_not_done_in_time_is_told(self, shop: Path, monkeypatch):
        monkeypatch.setattr(placed, "MOST_S", 0.3)
        self.endless(shop)
        result = judged(shop, NO_EXAMPLE)

        assert result.outcome is Outcome.PARSED
        assert "tests/test_cart.py says nothing of the edit: not done within 0.3 s" in result.detail

    def test_without_a_sandbox_it_says_so(self, shop: Path, monkeypatch):
        found = dict.fromkeys(Layer, "not here")
        monkeypatch.setattr(sys.modules["assistant.sandbox.layers"], "_problems", found)
        result = judged(shop, RIGHT)

        assert (result.outcome, result.layer) == (Outcome.SANDBOX_UNAVAILABLE, "none")
