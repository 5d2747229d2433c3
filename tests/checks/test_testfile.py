"""Tests that can not test anything are refused before a model is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.checks import read_tests
from assistant.checks.testfile import parse_tests
from assistant.errors import UsageProblem


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "no assert"),
        ("print(1)\ndef helper(): return 1", "no assert"),
        ("assert (1", "not Python"),
        ("import numpy\nassert add(1, 1) == 2", r"import numpy \(line 1\)"),
        ("import os\nfrom sums.parts import add\nassert add", r"sums.parts \(line 2\)"),
        ("from .sums import add\nassert add", "import .sums"),
        ("def test_a():\n    for n in range(3):\n        yield n\n    assert False", "yields"),
    ],
)
def test_useless_tests_are_refused(source: str, reason: str):
    with pytest.raises(UsageProblem, match=reason):
        parse_tests(source)


def test_the_standard_library_may_be_imported():
    source = "import math, os.path\nfrom collections import abc\nassert math.pi"

    assert parse_tests(source).source == source


def test_functions_to_call_are_found_and_helpers_are_not():
    tests = parse_tests("def test_a(x=1): ...\nasync def test_b(): ...\ndef helper(): ...")

    assert tests.functions == ("test_a", "test_b")


def test_methods_of_classes_are_found():
    tests = parse_tests(
        "import unittest\nclass AddCase(unittest.TestCase):\n    def test_a(self): ...\n"
        "    def testB(self): ...\n    def helper(self): ...\n"
        "class TestIt:\n    def test_c(self): ...\nclass Other:\n    def test_d(self): ...\n"
    )

    assert tests.functions == ("AddCase.test_a", "AddCase.testB", "TestIt.test_c")
    assert not tests.pytest


@pytest.mark.parametrize(
    ("source", "need"),
    [
        ("def test_a(tmp_path): assert tmp_path", "test_a takes fixtures, line 1"),
        ("def test_a(*, mode): assert mode", "test_a takes fixtures, line 1"),
        ("import pytest\nassert add(1, 1) == 2", "import pytest, line 1"),
        ("from pytest import raises\ndef test_a(): ...", "import pytest, line 1"),
        (
            "class TestIt:\n    def test_a(self, tmp_path): ...",
            "TestIt.test_a takes fixtures, line 2",
        ),
        ("def setup_module(): ...\ndef test_a(): ...", "setup_module, line 1"),
    ],
)
def test_what_only_pytest_can_run_is_said(source: str, need: str):
    assert parse_tests(source).pytest == need


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import cart\nassert cart", ("cart",)),
        ("from cart import add\nassert add", ("cart",)),
        ("from app import cart\nassert cart", ("app.cart",)),
        ("import app.cart\nassert app", ("app.cart",)),
        ("assert add", ()),
    ],
)
def test_the_names_of_the_file_under_test(source: str, names: tuple[str, ...]):
    assert parse_tests(source, module="cart").modules == names


def test_other_modules_are_refused_unless_a_project_is_seen():
    with pytest.raises(UsageProblem, match="shop"):
        parse_tests("import cart, shop\nassert cart", module="cart")
    assert parse_tests("import cart, shop\nassert cart", module="cart", project=True)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"assert '\xff'"), "not UTF-8"),
        (lambda path: path.write_bytes(b"#" * (2 << 20)), "larger than 1 MiB"),
    ],
)
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, make, reason: str):
    path = tmp_path / "test_it.py"
    make(path)

    with pytest.raises(UsageProblem, match=reason) as caught:
        read_tests(path)
    assert str(path) in caught.value.message


def test_a_byte_order_mark_is_no_part_of_the_tests(tmp_path: Path):
    path = tmp_path / "test_it.py"
    path.write_bytes(b"\xef\xbb\xbfassert True\n")

    assert read_tests(path).source == "assert True\n"


def test_a_device_without_end_is_refused():
    with pytest.raises(UsageProblem, match="larger than 1 MiB"):
        read_tests(Path("/dev/zero"))


def test_a_function_named_as_its_file_is_no_module_inside_it():
    """`median.py` with `median` in it; the import once replaced the function by the module."""
    tests = parse_tests("from median import median\nassert median([1]) == 1", module="median")

    assert tests.modules == ("median",)
