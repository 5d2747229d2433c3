"""Which tests of a file are about a function; every line of the file keeps its number."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.checks.projects import Module
from assistant.checks.selecting import tests_about as about
from assistant.checks.selecting import tests_besides as besides
from assistant.checks.testfile import parse_tests

CART = Module("shop.cart", ("/project",))


def chosen(source: str, function: str = "total", module: Module = CART) -> list[str]:
    """The names of the tests that are left."""
    text = about(source, function, module)
    assert text.count("\n") == (source.count("\n") if text else 0)
    return list(parse_tests(text, project=True).functions) if text else []


@pytest.mark.parametrize(
    ("imports", "use"),
    [
        ("from shop.cart import total", "total([])"),
        ("from shop.cart import total as sum_up", "sum_up([])"),
        ("from shop.cart import *", "total([])"),
        ("from shop import total", "total([])"),
        ("from ..cart import total", "total([])"),
        ("from src.shop.cart import total", "total([])"),
        ("from shop import cart", "cart.total([])"),
        ("from shop import cart as c", "c.total([])"),
        ("import shop.cart", "shop.cart.total([])"),
        ("import shop.cart as c", "c.total([])"),
        ("import shop", "shop.total([])"),
        ("import shop.cart\nbill = shop.cart.total", "bill([])"),
        ("import shop.cart\ndef bill(): return shop.cart.total([])", "bill()"),
        ("import shop.cart\ndef a(): return shop.cart.total([])\ndef b(): return a()", "b()"),
    ],
)
def test_a_use_is_found(imports: str, use: str):
    source = f"{imports}\ndef test_it():\n    assert {use} == 0\ndef test_more(): assert True\n"

    assert chosen(source) == ["test_it"]


@pytest.mark.parametrize(
    ("imports", "use"),
    [
        ("from bank import total", "total([])"),
        ("import bank", "bank.total([])"),
        ("from shop.cart import other", "total([])"),
        ("from shop.cart import total", "other.total()"),
        ("from shop.cart import total", "'total'"),
        ("import os", "os.total()"),
    ],
)
def test_what_only_looks_like_it_is_none(imports: str, use: str):
    assert chosen(f"{imports}\ndef test_it():\n    assert {use} == 0\n") == []


def test_a_fixture_that_uses_it_counts_for_the_tests_that_ask_for_it():
    source = (
        "import pytest\nfrom shop.cart import total\n"
        "@pytest.fixture\ndef sum_up(): return total([])\n"
        "def test_it(sum_up): assert sum_up == 0\n"
        "def test_more(): assert True\n"
    )

    assert chosen(source) == ["test_it"]


@pytest.mark.parametrize(
    ("function", "names"),
    [
        ("Cart.total", ["test_method", "TestCart.test_total"]),
        ("Cart.__init__", ["test_method", "test_class"]),
        ("Cart", ["test_method", "test_class"]),
        ("Cart.empty", ["TestMade.test_a", "TestMade.test_b"]),
        ("Cart.missing", []),
    ],
)
def test_methods_are_attributes_of_anything(function: str, names: list[str]):
    source = (
        "from shop.cart import Cart, make\n"
        "def test_method(): assert Cart().total() == 0\n"
        "def test_class(): assert Cart() is not None\n"
        "class TestCart:\n    def test_total(self): assert make().total() == 0\n"
        "class TestMade:\n"
        "    def setup_method(self): self.cart = make().empty()\n"
        "    def test_a(self): assert self.cart\n"
        "    def test_b(self): assert self.cart\n"
    )

    assert chosen(source, function) == names


def test_asserts_of_the_module_are_tests_too():
    source = "from shop.cart import total, other\nassert total([]) == 0\nassert other() == 1\n"

    assert ast.unparse(ast.parse(about(source, "total", CART))).splitlines()[1:] == [
        *("assert total([]) == 0", "pass")
    ]


def test_what_is_taken_out_leaves_the_rest_as_it_was():
    source = (
        "from shop.cart import total\r\n"
        "é = 1; assert é\r\n"
        "class TestA:\r\n"
        "    @mark(\r\n        1)\r\n"
        "    def test_gone(self):\r\n        '''\x0c\u2028'''\r\n\r\n"
        "    def test_kept(self): assert total([])\r\n"
        "    async def test_gone_too(self): pass"
    )

    assert about(source, "total", CART) == (
        "from shop.cart import total\r\n"
        "é = 1; pass\r\n"
        "class TestA:\r\n"
        "    pass\r\n\r\n\r\n\r\n\r\n"
        "    def test_kept(self): assert total([])\r\n"
        "    pass"
    )


UNITS = ["def test_{n}(): assert total([])\n", "def test_{n}(): assert {n}\n", "x_{n} = 1\n"]
UNITS += ["assert total([]) != {n}\n", "class Test{n}:\n    def test_{n}(self): assert {n}\n"]


@given(st.lists(st.sampled_from(UNITS), max_size=8))
def test_exactly_those_that_name_it_are_left(units: list[str]):
    body = [unit.format(n=n) for n, unit in enumerate(units)]
    source = "from shop.cart import total\n" + "".join(body)
    wanted = [part for part in body if "total" in part]
    text = about(source, "total", CART)

    assert bool(text) is bool(wanted)
    if text:
        kept = [line for line in text.splitlines()[1:] if "assert" in line]
        assert kept == [line for part in wanted for line in part.splitlines()]


def test_new_tests_are_those_that_were_not_there_word_for_word():
    known = "def test_a(): assert f(1)\nclass TestB:\n    def test_c(self): assert f(2)\n"
    source = (
        f"{known.replace('f(2)', 'f( 2 )')}    def test_d(self): assert f(3)\n"
        "def test_a2(): assert f(1)\n"
    )

    assert list(parse_tests(besides(source, known)).functions) == ["TestB.test_d", "test_a2"]
    assert besides(known, known) == ""
    changed = known.replace("f(1)", "f(9)")
    assert list(parse_tests(besides(changed, known)).functions) == ["test_a"]
