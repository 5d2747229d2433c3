"""From an answer to edits: what lands in the document, and what is refused.

In the texts `▮` is the cursor.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.tasks import TaskKind
from lsp.documents import Document
from lsp.generate.jobs import Surroundings, Wish, job_for
from lsp.generate.plans import plan_for
from lsp.python.edits import apply, edits_for
from lsp.python.reply import Refused, body_for
from lsp.python.stubs import find_stub
from lsp.text import Text


def implement(marked: str, answer: str) -> str:
    """The document after the answer has been applied to the stub at the cursor."""
    text = Text(marked.replace("▮", ""))
    stub = find_stub(text, marked.index("▮"))
    assert stub is not None
    return apply(text, edits_for(text, stub, body_for(stub, answer))).value


ANSWER = 'def area(w, h):\n    """Area."""\n    if w < 0:\n        return 0\n    return w * h\n'


def test_the_body_goes_below_the_docstring_and_nothing_else_changes() -> None:
    before = 'x = 1\n\n\ndef area(w, h):\n    """Width times height."""\n\n\ny = 2\n'
    body = "    if w < 0:\n        return 0\n    return w * h\n"

    after = implement(before.replace("area", "▮area"), ANSWER)

    assert after == before.replace('height."""\n', f'height."""\n{body}')


@pytest.mark.parametrize(
    "placeholder", ["pass", "...", "raise NotImplementedError", "pass  # later"]
)
def test_a_placeholder_is_replaced(placeholder: str) -> None:
    after = implement(f'def area(w, h):▮\n    """D."""\n    {placeholder}\n', ANSWER)

    assert (
        after
        == 'def area(w, h):\n    """D."""\n    if w < 0:\n        return 0\n    return w * h\n'
    )


def test_comments_of_the_user_stay() -> None:
    after = implement("def area(w, h):\n    # w times h▮\n\n    # never below 0\n", ANSWER)

    assert after.startswith(
        "def area(w, h):\n    # w times h\n\n    # never below 0\n    if w < 0:\n"
    )


@pytest.mark.parametrize(
    ("stub", "head"),
    [
        ('def area(w, h): """D."""', 'def area(w, h):\n    """D."""\n'),
        ("def area(w, h): ...  # times", "def area(w, h):  # times\n"),
        ("# times\ndef area(w, h): pass", "# times\ndef area(w, h):\n"),
        ("# times\ndef area(w, h):", "# times\ndef area(w, h):\n"),
    ],
)
def test_a_stub_on_one_line_is_opened(stub: str, head: str) -> None:
    after = implement(f"{stub}▮", ANSWER)

    assert after == head + "    if w < 0:\n        return 0\n    return w * h"


def test_the_documents_tabs_and_line_endings_are_used() -> None:
    after = implement('class A:\r\n\tdef area(w, h):\r\n\t\t"""D.▮"""\r\n\r\n\tx = 1\r\n', ANSWER)

    assert after == (
        'class A:\r\n\tdef area(w, h):\r\n\t\t"""D."""\r\n'
        "\t\tif w < 0:\r\n\t\t\treturn 0\r\n\t\treturn w * h\r\n\r\n\tx = 1\r\n"
    )


def test_the_documents_step_of_indentation_is_used() -> None:
    after = implement('if 1:\n  def area(w, h):\n    """D.▮"""\n', ANSWER)

    assert after.endswith('"""D."""\n    if w < 0:\n      return 0\n    return w * h\n')


def test_a_string_over_several_lines_is_not_indented() -> None:
    """Its white space is its value."""
    answer = 'def f():\n    text = """a\n  b\n      c"""\n    return text\n'

    after = implement('class A:\n    class B:\n        def f():\n            """D.▮"""\n', answer)

    value = ast.parse(after).body[0].body[0].body[0].body[1].value.value  # type: ignore[attr-defined]
    assert value == "a\n  b\n      c"


def test_an_f_string_over_several_lines_is_not_indented() -> None:
    answer = 'def f(x):\n    return f"""a\n  {x +\n1}\n b"""\n'

    after = implement('class A:\n    def f(x):\n        """D.▮"""\n', answer)

    assert after.endswith('        return f"""a\n  {x +\n1}\n b"""\n')


@pytest.mark.parametrize(
    "marked", ['async def f(x):▮\n    """D."""\n', '@cache\ndef f(x):▮\n  "D"\n']
)
def test_async_and_decorated_functions(marked: str) -> None:
    prefix = "async " if "async" in marked else ""

    after = implement(marked, f"{prefix}def f(x):\n    return x\n")

    assert after.rstrip().endswith("return x")
    assert after.startswith(marked.replace("▮", ""))


def test_type_hints_may_differ_since_the_header_is_the_users() -> None:
    after = implement('def f(x: int = 0) -> int:\n    """D.▮"""\n', "def f(x=0):\n    return x\n")

    assert after == 'def f(x: int = 0) -> int:\n    """D."""\n    return x\n'


def test_a_method_may_come_wrapped_in_its_class() -> None:
    answer = "class A:\n    def f(self):\n        return A()\n"

    after = implement('class A:\n    def f(self):\n        """D.▮"""\n', answer)

    assert after == 'class A:\n    def f(self):\n        """D."""\n        return A()\n'


def test_a_body_that_begins_with_a_function() -> None:
    answer = "def f(x):\n    def g():\n        return x\n    return g\n"

    after = implement('def f(x):\n    """D.▮"""\n', answer)

    assert after == 'def f(x):\n    """D."""\n    def g():\n        return x\n    return g\n'


def test_a_body_that_begins_with_a_decorated_function() -> None:
    answer = "def f(x):\n    @cache\n    def g():\n        return x\n    return g\n"

    after = implement('def f(x):\n  """D.▮"""\n', answer)

    assert after == 'def f(x):\n  """D."""\n  @cache\n  def g():\n    return x\n  return g\n'


def test_what_stands_beside_the_function_and_is_not_used_is_left_out() -> None:
    answer = "import os\n\ndef f(x):\n    return x\n\nprint(f(2))\nassert f(3) == 3\n"

    assert (
        implement('def f(x):\n    """D.▮"""\n', answer) == 'def f(x):\n    """D."""\n    return x\n'
    )


ROOT = "import math\n\ndef root(x):\n    return math.sqrt(x)\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("", "import math\n\n\n"),
        ("#!/usr/bin/env python\n", "#!/usr/bin/env python\nimport math\n\n\n"),
        ('"""Module."""\n\n', '"""Module."""\n\nimport math\n\n'),
        ("import os\nimport sys\n\n", "import os\nimport sys\nimport math\n\n"),
        (
            "from __future__ import annotations\n\n",
            "from __future__ import annotations\nimport math\n\n",
        ),
        ("import math\n\n", "import math\n\n"),
        ("try:\n    import math\nexcept ImportError:\n    pass\n", None),
    ],
)
def test_a_needed_import_goes_to_the_top_once(head: str, expected: str | None) -> None:
    after = implement(f'{head}def root(x):\n    """R.▮"""\n', ROOT)

    stub = 'def root(x):\n    """R."""\n    return math.sqrt(x)\n'
    assert after == (head if expected is None else expected) + stub


def test_a_needed_import_completes_a_file_that_parses_only_afterwards() -> None:
    """A body that is only a comment is not valid Python; with the body it is."""
    after = implement("import os\n\n\ndef root(x):\n    # the root▮\n", ROOT)

    assert after.startswith("import os\nimport math\n")
    assert after.endswith("    # the root\n    return math.sqrt(x)\n")


def test_only_the_used_names_of_an_import_are_added() -> None:
    answer = "from math import pi, sqrt\n\ndef f(x):\n    return sqrt(x)\n"

    assert "from math import sqrt\n" in implement('def f(x):\n    """D.▮"""\n', answer)


DOCUMENT = 'def f(x):\n    """D.▮"""\n'

REFUSED = {
    "not Python": (DOCUMENT, "def f(x:\n", "not valid Python"),
    "prose": (DOCUMENT, "Here is the function you asked for:", "not valid Python"),
    "nothing": (DOCUMENT, "", "no function f"),
    "another name": (DOCUMENT, "def g(x):\n    return x\n", "no function f"),
    "another signature": (DOCUMENT, "def f(x, y):\n    return x\n", "another signature"),
    "another default": ('def f(x=1):\n    """D.▮"""\n', "def f(x=2):\n    return x\n", "signature"),
    "a lost star": ('def f(*x):\n    """D.▮"""\n', "def f(x):\n    return x\n", "signature"),
    "async": (DOCUMENT, "async def f(x):\n    return x\n", "another signature"),
    "no body": (DOCUMENT, 'def f(x):\n    """D."""\n    pass\n', "body is empty"),
    "only a docstring": (DOCUMENT, 'def f(x):\n    """D."""\n', "body is empty"),
    "a helper": (DOCUMENT, "def h(x):\n    return x\n\ndef f(x):\n    return h(x)\n", "needs h"),
    "a constant": (DOCUMENT, "K = 2\n\ndef f(x):\n    return K * x\n", "needs K"),
    "a star import": (
        DOCUMENT,
        "from math import *\n\ndef f(x):\n    return sqrt(x)\n",
        "yours to add",
    ),
    "a relative import": (
        DOCUMENT,
        "from . import a\n\ndef f(x):\n    return a(x)\n",
        "yours to add",
    ),
    "an import that clashes": (
        f"math = 3\n\n{DOCUMENT}",
        "import math\n\ndef f(x):\n    return math.sqrt(x)\n",
        "already means something else",
    ),
    "an import in a broken file": (
        f"{DOCUMENT}\n\nclass\n",
        "import math\n\ndef f(x):\n    return math.sqrt(x)\n",
        "does not parse",
    ),
}


@pytest.mark.parametrize(("marked", "answer", "why"), REFUSED.values(), ids=REFUSED)
def test_an_answer_that_does_not_fit_is_refused_with_the_reason(
    marked: str, answer: str, why: str
) -> None:
    with pytest.raises(Refused, match=why):
        implement(marked, answer)


def test_what_would_land_otherwise_than_it_was_written_is_refused() -> None:
    """The last look, at the place itself; the body is spoilt on its way there."""
    text = Text('class A:\n    class B:\n        def f(self):\n            """D."""\n')
    stub = find_stub(text, len(text.value) - 5)
    assert stub is not None
    body = body_for(stub, 'def f(self):\n    s = """a\n  b"""\n    return s\n')

    with pytest.raises(Refused, match="would not mean the same"):
        edits_for(text, stub, replace(body, fixed=frozenset()))
    with pytest.raises(Refused, match="does not parse in its place"):
        edits_for(text, stub, replace(body, lines=("s = (", "return s")))


def test_a_mark_of_the_encoding_is_no_character_of_the_test_file(tmp_path: Path) -> None:
    """Editors do not count it: an import would be written behind the first letter."""
    (tmp_path / "test_a.py").write_bytes(b"\xef\xbb\xbfimport os\n\n\nx = os\n")
    document = Document("file:///a.py", "python", 1, Text("def f(x):\n    return x\n"))
    asked = job_for(document, Wish(TaskKind.TESTS, 0, 0), Surroundings(tmp_path / "a.py", tmp_path))
    answer = "def test_f():\n    assert f(1) == 1\n"
    plan = plan_for(asked, answer)
    assert plan.before.value.startswith("import os\n")
    assert ast.parse(plan.after.value)
