"""Real functions lose their bodies and get them back: the module must mean the same as before."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from lsp.python.blocks import FunctionNode
from lsp.python.edits import apply, edits_for
from lsp.python.reply import body_for
from lsp.python.stubs import find_stub, is_placeholder, split_docstring
from lsp.text import Text

# Modules of the standard library in many styles: methods, nested functions, decorators, long
# strings, form feeds (`shelve` has one), early and late Python.
SMALL = ("textwrap", "heapq", "shelve", "contextlib", "string", "shlex")
LARGE = ("difflib", "fractions", "pprint", "calendar", "gettext", "random", "statistics")
LARGE += ("smtplib", "dis", "types", "argparse", "inspect", "ast", "functools")
MODULES = [*SMALL, *(pytest.param(name, marks=pytest.mark.soak) for name in LARGE)]


def source_of(module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def described_functions(source: str) -> list[FunctionNode]:
    """Functions with a docstring and a body, on lines of their own."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FunctionNode):
            docstring, rest = split_docstring(node.body)
            decorators = {ast.unparse(one).rpartition(".")[2] for one in node.decorator_list}
            if docstring is None or not rest or all(map(is_placeholder, rest)):
                continue
            if docstring.end_lineno < rest[0].lineno and "abstractmethod" not in decorators:
                found.append(node)
    return found


def without_body(source: str, node: FunctionNode) -> str:
    lines = Text(source)
    kept = lines.line_span(node.body[0].end_lineno - 1)[1]
    return source[:kept] + source[lines.line_span(node.end_lineno - 1)[1] :]


@pytest.mark.parametrize("module", MODULES)
def test_a_body_that_was_taken_out_comes_back_the_same(module: str) -> None:
    source = source_of(module)
    wanted = ast.dump(ast.parse(source))
    functions = described_functions(source)
    assert functions

    for node in functions:
        stripped = Text(without_body(source, node))
        stub = find_stub(stripped, stripped.line_starts[node.lineno - 1])
        assert stub is not None, f"{module}.{node.name}"
        after = apply(stripped, edits_for(stripped, stub, body_for(stub, ast.unparse(node))))
        assert ast.dump(ast.parse(after.value)) == wanted, f"{module}.{node.name}"


@pytest.mark.parametrize("module", MODULES)
def test_a_body_keeps_its_own_layout(module: str) -> None:
    """Written as its author wrote it, at the indentation it had, the very text comes back."""
    source = source_of(module)
    lines = Text(source)

    for node in described_functions(source):
        start = lines.line_span(node.lineno - 1)[0]
        end = lines.line_span(node.end_lineno - 1)[1]
        answer = "class Wrapper:\n" * (node.col_offset > 0) + lines.value[start:end]
        if node.col_offset > 4 or ";" in answer:
            continue
        stripped = Text(without_body(source, node))
        stub = find_stub(stripped, stripped.line_starts[node.lineno - 1])
        assert stub is not None
        after = apply(stripped, edits_for(stripped, stub, body_for(stub, answer)))
        body = source.split("\n")[node.body[0].end_lineno : node.end_lineno]
        landed = "\n".join(after.value.split("\n")[node.body[0].end_lineno :])
        code = [line for line in body if line.strip()]
        first = next(i for i, line in enumerate(code) if not line.lstrip().startswith("#"))
        assert "\n".join(code[first:]) in "\n".join(
            line for line in landed.split("\n") if line.strip()
        ), f"{module}.{node.name}"
