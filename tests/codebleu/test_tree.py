"""Comments and docstrings go; nothing else does."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.benchmarks.codebleu import STANDARD, tree
from assistant.benchmarks.codebleu.features import features
from tests.support.codebleu import BRANCHES, SUM, compare, mbpp_test, values


def tokens(source: str) -> list[str]:
    return tree.token_texts(tree.read(tree.normalise(source)))


@pytest.mark.parametrize(
    "source",
    [
        "m = n // 2 + 1",
        'f"{{x}} {n}"',
        'x = [\n"a",\n"b",\n]',
        'x = "# no comment" + "#"',
        'x = 1\n"a".join(x)\n',
        'x = 1\n"a statement, but no docstring"\n',
        'f"not a docstring {x}"',
        'b"not a docstring"',
        '"one", "two"',
        'if x:\n    "no docstring here"\n',
    ],
)
def test_stripping_leaves_it_alone(source: str):
    assert tokens(source) == tree.token_texts(tree.read(source, strip=False))
    assert "".join("".join(tokens(source)).split()) == "".join(source.split())


@pytest.mark.parametrize(
    "docstring",
    ['"""Doc."""', "r'''Doc.'''", 'u"Doc."', '"two" "parts"', '("in brackets")', '"doc"; x = 1'],
)
@pytest.mark.parametrize("owner", ["", "def f():\n    ", "class A:\n    ", "async def f():\n    "])
def test_docstrings_go_wherever_python_sees_one(owner: str, docstring: str):
    indent = "    " if owner else ""
    source = f"{owner}{docstring}\n{indent}y = 2\n"
    body = ast.parse(source).body[0] if owner else ast.parse(source)
    assert ast.get_docstring(body) is not None  # Python agrees
    assert not any("oc" in text or "two" in text or "in br" in text for text in tokens(source))
    assert tokens(source)[-3:] == ["y", "=", "2"]


def test_only_the_first_string_is_a_docstring():
    assert tokens('"doc"\n"kept"\nx = 1')[0] == '"kept"'
    assert tokens('# comment\n\n"doc"\nx = 1') == ["x", "=", "1"]


def test_broken_code_is_stripped_too():
    assert tokens("def f(:\n    # gone\n    x = 1  # gone\n") == tokens("def f(:\n    x = 1\n")


def test_line_ends_do_not_count():
    assert tokens("a = 1\r\nb = 2\rc = 3") == tokens("a = 1\nb = 2\nc = 3")
    text = SUM + 'x = """two\nlines"""\ny = x + \\\n    x\n'
    for end in ("\r\n", "\r"):
        assert features(text.replace("\n", end), STANDARD) == features(text, STANDARD)


def with_remarks(source: str, places: set[int]) -> str:
    lines = []
    for number, line in enumerate(source.splitlines()):
        indent = line[: len(line) - len(line.lstrip())]
        if number in places:
            lines.append(f"{indent}# a 'remark' with \"quotes\"" if number else "# at the top")
        lines.append(line + ("  # behind" if number in places else ""))
        if line.startswith("def "):
            lines.append('    """A docstring."""')
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("program", [SUM, BRANCHES])
@given(places=st.sets(st.integers(0, 10)))
def test_comments_and_docstrings_on_either_side_change_nothing(program: str, places: set[int]):
    remarked = with_remarks(program, places)
    for other in (SUM, BRANCHES):
        plain = compare(other, program)
        assert compare(other, remarked).syntax == plain.syntax
        assert compare(other, remarked).data_flow == plain.data_flow
        back = compare(program, other)
        assert compare(remarked, other).syntax == back.syntax
        assert compare(remarked, other).data_flow == back.data_flow


def test_tabs_and_spaces_are_the_same_program():
    tabs = SUM.replace("    ", "\t")
    assert values(tabs, SUM) == values(SUM, tabs) == (1.0, 1.0)
    tabbed = [code for code in mbpp_test() if "\t" in code]
    assert len(tabbed) == 73
    for code in tabbed:
        spaced = code.expandtabs(8)
        assert ast.dump(ast.parse(code)) == ast.dump(ast.parse(spaced))
        assert values(code, spaced) == values(spaced, code) == (1.0, 1.0)
