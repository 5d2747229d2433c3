"""From an answer to edits, without a process: whole lines, docstrings and tests in their places.

In the texts `▮` is the cursor; two of them are a selection.
"""

from __future__ import annotations

import ast
import random
from dataclasses import replace
from pathlib import Path

import pytest
from lsprotocol import types

from assistant.tasks import TaskKind
from lsp.documents import Document, Documents
from lsp.generate.jobs import Job, Surroundings, Wish, job_for, located
from lsp.generate.plans import plan_for
from lsp.generate.region import enclosing, region_of, replacement, unit_of
from lsp.python import testing
from lsp.python.edits import apply
from lsp.python.reply import Refused
from lsp.text import Text


def job(marked: str, kind: TaskKind, language: str = "python", **more: str) -> Job:
    start = marked.index("▮")
    end = marked.rindex("▮") - (marked.count("▮") - 1)
    document = Document("file:///a.py", language, 1, Text(marked.replace("▮", "")))
    if kind is TaskKind.REWRITE:
        more.setdefault("instruction", "change it")
    return job_for(document, Wish(kind, start, end, **more))


def rewritten(marked: str, answer: str, language: str = "python") -> str:
    return plan_for(job(marked, TaskKind.REWRITE, language), answer).after.value


PLACES = {
    "function": ("def f(x):\n    return ▮x\n\n\ny = 1\n", "def f(x):\n    return x\n"),
    "decorated": ("@cache\ndef f(x):\n    return ▮x\n", "@cache\ndef f(x):\n    return x\n"),
    "method": ("class A:\n    def f(self):\n        pass▮\n", "def f(self):\n    pass\n"),
    "selection": ("def f(x):\n    ▮a = 1\n    b = 2▮\n    return a\n", "a = 1\nb = 2\n"),
    "half lines": ("def f(x):\n    a =▮ 1\n    b ▮= 2\n    return a\n", "a = 1\nb = 2\n"),
    "to the next line": ("a = 1\n▮b = 2\n▮c = 3\n", "b = 2\n"),
    "statement": ("a = 1\nfor n in x:\n    pr▮int(n)\nc = 3\n", "for n in x:\n    print(n)\n"),
    "line in a class": ("class A:\n    a = ▮1\n\n    b = 2\n", "class A:\n    a = 1\n"),
    "does not parse": ("def g(:\n\n\ndef f(x):\n    return ▮x\n", "def f(x):\n    return x\n"),
}


@pytest.mark.parametrize(("marked", "code"), PLACES.values(), ids=PLACES)
def test_a_place_means_these_lines(marked: str, code: str) -> None:
    assert f"{job(marked, TaskKind.REWRITE).task.code}\n" == code


OTHERS = {
    "function": (
        "int f(int x) {\n  if (x) {\n    return ▮x;\n  }\n  return 0;\n}\n\nint g() {}\n",
        (0, 5),
    ),
    "method": ("class A {\n  f(x) {\n    return x▮;\n  }\n\n  g() {}\n}\n", (1, 3)),
    "brace below": ("int f(int x)\n{\n  return ▮x;\n}\n", (0, 3)),
    "ruby": ("class A\n  def f(x)\n    x▮\n  end\nend\n", (1, 3)),
    "on its head": ("fn f(x: i32) {▮\n    x\n}\n", (0, 2)),
    "prose": ("one\ntwo▮\n\nthree\n", (0, 1)),
    "empty line": ("f(x) {\n  a\n▮\n  b\n}\n", (0, 4)),
}


@pytest.mark.parametrize(("marked", "lines"), OTHERS.values(), ids=OTHERS)
def test_what_belongs_together_in_other_languages(marked: str, lines: tuple[int, int]) -> None:
    text = Text(marked.replace("▮", ""))
    assert enclosing(text, text.line_of(marked.index("▮"))) == lines


def test_only_the_lines_that_differ_are_in_the_edit() -> None:
    marked = "def f(x):\n    a = ▮1\n    b = 2\n    return a + b\n"
    plan = plan_for(
        job(marked, TaskKind.REWRITE), "def f(x):\n    a = 1\n    b = 3\n    return a + b\n"
    )

    (edit,) = plan.edits
    assert edit.new == "    b = 3\n"
    assert plan.before.value[edit.start : edit.end] == "    b = 2\n"


REWRITES = {
    "crlf": (
        "def f(x):\r\n    return ▮x\r\n",
        "def f(x):\n    return 1",
        "def f(x):\r\n    return 1\r\n",
    ),
    "no newline at the end": (
        "def f(x):\n    return ▮x",
        "def f(x):\n    return 1\n",
        "def f(x):\n    return 1",
    ),
    "shorter": ("▮a = 1\nb = 2▮\nc = 3\n", "a = 1\n", "a = 1\nc = 3\n"),
    "longer": ("▮a = 1▮\nc = 3\n", "a = 1\nb = 2\n", "a = 1\nb = 2\nc = 3\n"),
    "shorter at the end": ("▮a = 1\nb = 2▮", "a = 1\n", "a = 1"),
    "tabs": (
        "class A:\n\tdef f(self):\n\t\treturn ▮1\n",
        "def f(self):\n    if self:\n        return 2\n    return 3\n",
        "class A:\n\tdef f(self):\n\t\tif self:\n\t\t\treturn 2\n\t\treturn 3\n",
    ),
    "two columns": (
        "class A:\n  def f(self):\n    return ▮1\n",
        "def f(self):\n    if self:\n        return 2\n    return 3\n",
        "class A:\n  def f(self):\n    if self:\n      return 2\n    return 3\n",
    ),
    "indented answer": (
        "class A:\n    def f(self):\n        return ▮1\n",
        "    def f(self):\n        return 2\n",
        "class A:\n    def f(self):\n        return 2\n",
    ),
    "class around": (
        "class A:\n    def f(self):\n        return ▮1\n",
        "class A:\n    def f(self):\n        return 2\n",
        "class A:\n    def f(self):\n        return 2\n",
    ),
    "string over lines": (
        "class A:\n    def f(self):\n        return ▮1\n",
        'def f(self):\n    return """a\n  b\n"""\n',
        'class A:\n    def f(self):\n        return """a\n  b\n"""\n',
    ),
    "helper beside": (
        "def f(x):\n    return ▮1\n",
        "def g(x):\n    return x\n\n\ndef f(x):\n    return g(x)\n",
        "def g(x):\n    return x\n\n\ndef f(x):\n    return g(x)\n",
    ),
    "import there already": (
        "import math\n\n\ndef f(x):\n    return ▮1\n",
        "import math\n\ndef f(x):\n    return math.pi\n",
        "import math\n\n\ndef f(x):\n    return math.pi\n",
    ),
}


@pytest.mark.parametrize(("marked", "answer", "after"), REWRITES.values(), ids=REWRITES)
def test_a_rewriting_lands_in_the_style_of_its_place(marked: str, answer: str, after: str) -> None:
    assert rewritten(marked, answer) == after


REFUSED = {
    "changes nothing": (
        "def f(x):\n    return ▮x\n",
        "def f(x):\n    return x\n",
        "changes nothing",
    ),
    "another function": (
        "def f(x):\n    return ▮x\n",
        "def g(x):\n    return x\n",
        "no function f",
    ),
    "no Python": ("def f(x):\n    return ▮x\n", "def f(x)\n    return x\n", "not valid Python"),
    "breaks the file": (
        "if a:\n    ▮b = 1▮\nelse:\n    c\n",
        "b = (\n",
        "does not parse in its place",
    ),
    "helper of a method": (
        "class A:\n    def f(self):\n        return ▮1\n",
        "def g():\n    return 1\n\n\ndef f(self):\n    return g()\n",
        "defined beside the function",
    ),
    "empty": ("▮a = 1▮\n", "\n", "is empty"),
    "relative import": (
        "def f(x):\n    return ▮1\n",
        "from . import g\n\ndef f(x):\n    return g\n",
        "which is yours to add",
    ),
}


@pytest.mark.parametrize(("marked", "answer", "why"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(marked: str, answer: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        rewritten(marked, answer)


WORDS = ("a = 1", "if b:", "    c = 2", "", "    d('x')", "\te", "é = '😀'", "    ")


@pytest.mark.parametrize("rounds", [300, pytest.param(20_000, marks=pytest.mark.soak)])
def test_lines_outside_of_the_region_never_change(rounds: int) -> None:
    """Any lines for any lines: the text after is what was there with the new ones in it."""
    for seed in range(rounds):
        chance = random.Random(seed)
        ending = chance.choice(("\n", "\r\n", "\r"))
        lines = [chance.choice(WORDS) for _ in range(chance.randint(1, 12))]
        new = [chance.choice(WORDS) for _ in range(chance.randint(1, 9))]
        first = chance.randrange(len(lines))
        last = chance.randrange(first, len(lines))
        text = Text(ending.join(lines) + ending * chance.randint(0, 1))
        start, end = text.line_starts[first], text.line_span(last)[1]

        edit = replacement(text, start, end, new)

        after = text.value if edit is None else apply(text, [edit]).value
        wanted = text.value[:start] + text.line_end.join(new) + text.value[end:]
        assert after == wanted, seed
        assert edit is None or start <= edit.start <= edit.end <= end, seed


def test_a_region_comes_back_as_it_was() -> None:
    """Dedented and indented again: code of this project is the test."""
    for path in sorted(Path(__file__).parents[2].glob("lsp/python/*.py")):
        text = Text(path.read_text("utf-8"))
        tree = ast.parse(text.value)
        document = Document(path.as_uri(), "python", 1, text)
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            offset = text.line_starts[node.lineno - 1]
            found = job_for(document, Wish(TaskKind.REWRITE, offset, offset, "x"))
            with pytest.raises(Refused, match="changes nothing"):
                plan_for(found, found.region.code)


@pytest.mark.parametrize(
    ("source", "unit"),
    [
        ("a\n", "    "),
        ("a:\n\tb\n\tc:\n\t\td\n", "\t"),
        ("a:\n  b\n  c:\n    d\n", "  "),
        ("/**\n * x\n */\nf() {\n   a\n}\n", "   "),
    ],
)
def test_the_step_of_a_document_is_what_most_of_it_takes(source: str, unit: str) -> None:
    assert unit_of(Text(source)) == unit


def test_empty_lines_at_the_ends_are_no_part_of_a_region() -> None:
    region = region_of(Text("\n\n  a\n\n    b\n\n\n"), 0, 6, "rust")
    assert (region.code, region.indent, region.start) == ("a\n\n  b", "  ", 2)


@pytest.mark.parametrize(
    ("now", "there"),
    [
        ("x = 1\ndef f(x):\n    return x\n", True),
        ("def f(x):\n    return  x\n", False),
        ("def f(x):\n    return x\n    return y\n", False),
        ("def f(x):\n    return x\n\n\ndef f(x):\n    return x\n", False),
    ],
)
def test_a_function_is_found_again_if_it_is_the_same_and_the_only_one(
    now: str, there: bool
) -> None:
    """Everything was changed meanwhile, so nothing could be followed."""
    documents = Documents()
    item = types.TextDocumentItem("file:///a.py", "python", 1, "def f(x):\n    return x\n")
    documents.open(item)
    before = documents.get(item.uri)
    assert before is not None
    wanted = job_for(before, Wish(TaskKind.REWRITE, 0, 0, "x"))
    for version, text in enumerate(("nothing of it", now), 2):
        identifier = types.VersionedTextDocumentIdentifier(version, item.uri)
        documents.change(identifier, [types.TextDocumentContentChangeWholeDocument(text)])

    later = documents.get(item.uri)

    assert later is not None
    assert later.followed(1, 0, 5) is None
    assert (located(wanted, later) is not None) is there


def test_nothing_is_found_in_a_document_that_was_opened_anew() -> None:
    """Its versions begin anew; the same text at the same version is another story."""
    wanted = job("def f(x):\n    return ▮x\n", TaskKind.REWRITE)

    assert located(wanted, wanted.document) is not None
    assert located(wanted, replace(wanted.document, opening=2)) is None


# Docstrings.

DOCSTRINGS = {
    "plain": ("def f(x):▮\n    return x\n", 'def f(x):\n    """Same."""\n    return x\n'),
    "comment first": (
        "def f(x):▮\n    # why\n    return x\n",
        'def f(x):\n    """Same."""\n    # why\n    return x\n',
    ),
    "comment on the head": (
        "def f(x):▮  # why\n    return x\n",
        'def f(x):  # why\n    """Same."""\n    return x\n',
    ),
    "head over lines": (
        "def f(\n    x,▮\n):\n    return x\n",
        'def f(\n    x,\n):\n    """Same."""\n    return x\n',
    ),
    "tabs": (
        "class A:\n\tdef f(x):▮\n\t\treturn x\n",
        'class A:\n\tdef f(x):\n\t\t"""Same."""\n\t\treturn x\n',
    ),
}


@pytest.mark.parametrize(("marked", "after"), DOCSTRINGS.values(), ids=DOCSTRINGS)
@pytest.mark.parametrize(
    "answer",
    [
        'def f(x):\n    """Same."""\n    return 0\n',
        '"""Same."""\n',
        'class B:\n    def f(x):\n        """Same."""\n',
    ],
)
def test_a_docstring_goes_below_the_head(marked: str, after: str, answer: str) -> None:
    assert plan_for(job(marked, TaskKind.DOCSTRING), answer).after.value == after


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("def f(x):\n    return x\n", "holds none"),
        ('def f(x):\n    """ """\n    return x\n', "is empty"),
        ("def f(x:\n", "not valid Python"),
        ('def g(x):\n    """Same."""\n', "holds none"),
    ],
)
def test_an_answer_without_a_docstring_is_refused(answer: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        plan_for(job("def f(x):▮\n    return x\n", TaskKind.DOCSTRING), answer)


# Tests.


def added(existing: str | None, answer: str, name: str = "f") -> str:
    module = testing.TestsModule(Path("test_a.py"), existing, f"from a import {name}")
    return apply(Text(existing or ""), testing.tests_edits(module, name, answer)).value


ONE = "def test_f():\n    assert f(1) == 1\n"


def test_a_new_file_holds_the_import_and_the_tests() -> None:
    assert added(None, ONE) == f"from a import f\n\n\n{ONE}"


def test_what_is_no_test_is_left_out() -> None:
    head = '"""Tests."""\nimport os\nfrom x import f\n\n\ndef f(x):\n    return x\n\n\n'
    answer = f"{head}{ONE}\n\ntest_f()\n"
    assert added(None, answer) == f"from a import f\n\n\n{ONE}"


def test_helpers_of_tests_come_along() -> None:
    answer = f"CASES = [1]\n\n\n{ONE}"
    assert added(None, answer) == f"from a import f\n\n\nCASES = [1]\n\n\n{ONE}"


def test_a_helper_does_not_take_the_place_of_another() -> None:
    with pytest.raises(Refused, match="help"):
        added("def help():\n    pass\n", f"def help():\n    return 1\n\n\n{ONE}")


def test_line_endings_of_the_file_are_kept() -> None:
    after = added("import os\r\n\r\n\r\nx = os\r\n", ONE)
    assert "\n" not in after.replace("\r\n", "")


def test_no_tests_are_refused() -> None:
    with pytest.raises(Refused, match="holds no test_"):
        added(None, "def f(x):\n    return x\n")


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ([], "test_a.py"),
        (["tests/x.py"], "tests/test_a.py"),
        (["tests/unit/test_a.py"], "tests/unit/test_a.py"),
        (["test_a.py", "tests/x.py"], "test_a.py"),
        (["a_test.py"], "a_test.py"),
    ],
)
def test_where_tests_belong(files: list[str], wanted: str, tmp_path: Path) -> None:
    for name in (*files, "a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert testing.tests_path(tmp_path / "a.py", tmp_path) == tmp_path / wanted


def test_a_method_is_reached_by_its_class_and_an_inner_function_by_nothing() -> None:
    source = "class A:\n    def f(self):\n        pass\n\n\ndef g():\n    def h():\n        pass\n"
    text = Text(source)
    assert [testing.owner_of(text, line) for line in (1, 5, 6)] == ["A", "g", None]


def test_tests_need_a_file() -> None:
    with pytest.raises(Refused, match="save this document"):
        job("def f(x):▮\n    return x\n", TaskKind.TESTS)
    document = Document("file:///a.py", "python", 1, Text("def f(x):\n    return x\n"))
    with pytest.raises(Refused, match="no name of a module"):
        job_for(document, Wish(TaskKind.TESTS, 0, 0), Surroundings(Path("/x/a-b.py")))
