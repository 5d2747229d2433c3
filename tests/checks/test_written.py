"""What is said of a docstring and of tests that were written."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from assistant.checks.result import CheckResult
from assistant.checks.written import check_docstring
from assistant.checks.written import check_tests as check
from assistant.events import Outcome
from assistant.sandbox import Layer, layers

real = pytest.mark.skipif(
    not {Layer.BUBBLEWRAP, Layer.LANDLOCK} & set(layers()), reason="no layer shows a project here"
)
PLAIN = "@cache\ndef add(a, b):\n    # both\n    return a + b  # the sum\n"
DOC = '    """Add.\n\n    # both\n    """\n'


def with_docstring(source: str, docstring: str = DOC) -> str:
    head, _, body = source.partition(":\n")
    return f"{head}:\n{docstring}{body}"


@pytest.mark.parametrize(
    ("before", "after", "outcome", "detail"),
    [
        (PLAIN, with_docstring(PLAIN), Outcome.PARSED, "nothing but the docstring"),
        (with_docstring(PLAIN, "    'Old.'\n"), with_docstring(PLAIN), Outcome.PARSED, ""),
        ("def f(): ...\n", 'def f():\n    """Do."""\n', Outcome.PARSED, ""),
        ("def f():\n    pass\n", 'def f():\n    """Do."""\n    ...\n', Outcome.PARSED, ""),
        ("class A:\n    x = 1\n", 'class A:\n    "Do."\n    x = 1\n', Outcome.PARSED, ""),
        (PLAIN, with_docstring(PLAIN).replace("a + b", "b + a"), Outcome.WRONG, "b + a stood for"),
        (PLAIN, with_docstring(PLAIN).replace("add(a", "add(c"), Outcome.WRONG, "def add(c, b)"),
        (PLAIN, with_docstring(PLAIN).replace("@cache\n", ""), Outcome.WRONG, "more than"),
        (PLAIN, with_docstring(PLAIN) + "add(1, 2)\n", Outcome.WRONG, "more than the docstring"),
        (PLAIN, with_docstring(PLAIN).replace("  # the sum", ""), Outcome.WRONG, "the comments"),
        (PLAIN, PLAIN, Outcome.WRONG, "no docstring"),
        (with_docstring(PLAIN), with_docstring(PLAIN), Outcome.WRONG, "what it was"),
        (PLAIN, "def add(:\n", Outcome.ERROR, "SyntaxError"),
        ("def add(:\n", with_docstring(PLAIN), Outcome.NOT_CHECKED, "does not parse"),
    ],
)
def test_a_docstring_changes_no_code(before: str, after: str, outcome: Outcome, detail: str):
    result = check_docstring(before, after)

    assert (result.outcome, result.layer) == (outcome, "none"), result
    assert detail in result.detail


SOURCE = "from .rates import FEE\n\n\ndef total(prices):\n    return sum(prices) + FEE\n"
IMPORT = "from shop.cart import total\n"
RIGHT = f"{IMPORT}\n\ndef test_total():\n    assert total([1, 2]) == 8\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "shop"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "rates.py").write_text("FEE = 5\n")
    (folder / "cart.py").write_text("raise RuntimeError('the file as it is on disk')\n")
    return folder


def judged(shop: Path, tests: str, source: str = SOURCE, **options: object) -> CheckResult:
    where = {
        "path": shop / "cart.py",
        "tests_path": shop.parent / "tests" / "test_cart.py",
        "name": "tests/test_cart.py",
        "function": "total",
        "project": shop.parent,
    }
    return check(tests, source, **(where | options))  # type: ignore[arg-type]


@real
class TestTests:
    """Run against the text of the file, within the project."""

    def test_they_hold(self, shop: Path):
        result = judged(shop, RIGHT)

        assert (result.outcome, result.layer) == (Outcome.PASS, layers()[0].value), result
        assert result.detail == "1 test with 1 assert held"

    def test_they_fail_and_nobody_can_tell_whose_fault_it_is(self, shop: Path):
        for result in (
            judged(shop, RIGHT.replace("8", "9")),
            judged(shop, RIGHT, SOURCE.replace("sum(prices)", "prices['sum']")),
        ):
            assert result.outcome.failed
            assert result.detail.endswith(
                "either the test or the code is wrong, which no check can tell"
            )
        assert judged(shop, RIGHT.replace("8", "9")).detail.startswith(
            "tests/test_cart.py line 5: assert total([1, 2]) == 9 (got 8, expected 9)"
        )

    @pytest.mark.parametrize(
        ("tests", "outcome", "detail"),
        [
            (RIGHT.replace(IMPORT, ""), Outcome.ERROR, "total is not defined"),
            (RIGHT.replace("shop.cart", "your_module"), Outcome.WRONG, "no test imports total"),
            ("import nowhere\n" + RIGHT, Outcome.ERROR, "No module named 'nowhere'"),
            (f"{IMPORT}def test_it(): assert True\n", Outcome.WRONG, "no test imports total"),
            (IMPORT, Outcome.WRONG, "no new test"),
            (f"{IMPORT}def test_it(): total([])\n", Outcome.PASS, "1 test held"),
            (f"{IMPORT}def test_it(): yield total\n", Outcome.ERROR, "yields"),
            ("def test_(:", Outcome.ERROR, "SyntaxError"),
        ],
    )
    def test_what_is_refused(self, shop: Path, tests: str, outcome: Outcome, detail: str):
        result = judged(shop, tests)

        assert result.outcome is outcome, result
        assert detail in result.detail

    def test_only_the_new_ones_are_run(self, shop: Path):
        old = f"{IMPORT}def test_old(): assert total([]) == 'wrong'\n"
        new = "def test_new(): assert total([]) == 5\n"

        assert judged(shop, old + new, before=old).outcome is Outcome.PASS
        assert judged(shop, old + new).outcome is Outcome.WRONG
        assert judged(shop, old, before=old).detail == "there is no new test in it"

    def test_a_file_that_can_not_be_loaded_is_not_their_fault(self, shop: Path):
        result = judged(shop, RIGHT, f"import nowhere\n{SOURCE}")

        assert result.outcome is Outcome.NOT_CHECKED
        assert "can not be loaded here: ModuleNotFoundError" in result.detail

    def test_without_a_project_the_code_alone_is_there(self, shop: Path):
        alone = SOURCE.replace("from .rates import FEE", "FEE = 5")
        tests = RIGHT.replace("shop.cart", "cart")

        result = judged(shop, tests, alone, project=None, tests_path=None)
        assert result.outcome is Outcome.PASS, result

    def test_a_stop_that_is_set_ends_it(self, shop: Path):
        stop = threading.Event()
        stop.set()

        result = judged(shop, RIGHT, stop=stop)
        assert (result.outcome, result.detail) == (Outcome.NOT_CHECKED, "the check was cancelled")
