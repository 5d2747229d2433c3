"""Which functions are offered, with the cursor where, and what a model is told about them.

In the texts `▮` is the cursor.
"""

from __future__ import annotations

import pytest

from lsp.python.stubs import Stub, find_stub
from lsp.text import Text


def find(marked: str) -> tuple[Text, Stub | None]:
    text = Text(marked.replace("▮", ""))
    return text, find_stub(text, marked.index("▮"))


OFFERED = {
    "docstring": ('def area(w, h):\n    """Width times height.▮"""\n', "area"),
    "pass": ('def f▮(x):\n    """Double x."""\n    pass\n', "f"),
    "ellipsis": ('def f(x):\n    """Double x."""\n    ...▮\n', "f"),
    "not implemented": ('def f(x):\n    """Double x."""\n    raise NotImplementedError▮\n', "f"),
    "called": ('def f(x):\n    """D."""\n    raise NotImplementedError("la▮ter")\n', "f"),
    "comment and pass": ("def f(x):\n    # double x\n    pa▮ss\n", "f"),
    "comment after pass": ("def f(x):\n    pass▮  # double x\n", "f"),
    "comment alone": ("def f(x):\n    # double▮ x\n\n\ny = 1\n", "f"),
    "comment above": ("# double x▮\ndef f(x):\n    pass\n", "f"),
    "comment above, nothing below": ("y = 1\n\n# double x\ndef f(x):▮", "f"),
    "comment below docstring": ('def f(x):\n    """D."""\n\n    # by a sieve▮\n', "f"),
    "on one line": ('def f(x): """Double▮ x."""\n', "f"),
    "on one line, comment": ("def f(x): ...  # double▮ x\n", "f"),
    "async": ('async def f(x):▮\n    """D."""\n', "f"),
    "method": ('class A:\n    def f(self):\n        """D.▮"""\n\n    def g(self): return 1\n', "f"),
    "nested": ('def g():\n    def f(x):\n        """D.▮"""\n\n    return f\n', "f"),
    "decorated": ('@cache\n@wraps(\n    f▮\n)\ndef g(x):\n    """D."""\n', "g"),
    "header over lines": (
        'def f(\n    x: dict[str, int] = {"a:": 1},▮  # a ) and a :\n) -> "a: b":\n    """D."""\n',
        "f",
    ),
    "last line of many": ('def g():\n    return 1\n\n\ndef f():\n    """D."""▮', "f"),
    "crlf": ('def f(x):\r\n    """D.▮"""\r\n', "f"),
    "form feed": ('\x0cdef g(): return 1\n\x0c\ndef f(x):\n    """D.\u2028▮"""\n', "f"),
    "tabs": ('class A:\n\tdef f(self):\n\t\t"""D.▮"""\n\t\tpass\n', "f"),
}


@pytest.mark.parametrize(("marked", "name"), OFFERED.values(), ids=OFFERED)
def test_a_described_function_without_a_body_is_found(marked: str, name: str) -> None:
    _, stub = find(marked)

    assert stub is not None
    assert stub.name == name


# A decorator over several lines is beyond the reader that goes by indentation.
BY_INDENTATION = {name: case for name, case in OFFERED.items() if name != "decorated"}


@pytest.mark.parametrize(("marked", "name"), BY_INDENTATION.values(), ids=BY_INDENTATION)
def test_it_is_found_too_where_the_rest_does_not_parse(marked: str, name: str) -> None:
    """The syntax tree is gone as soon as somebody types; the offer must not go with it."""
    _, whole = find(marked)
    _, stub = find(f"def broken(:\n    x = (\n\n{marked}\n\nclass Half\n    y ==\n")

    assert stub is not None
    assert whole is not None
    assert (stub.name, stub.source) == (name, whole.source)
    assert stub.slot.indent == whole.slot.indent
    assert stub.end - stub.start == whole.end - whole.start


NOT_OFFERED = {
    "a body": 'def f(x):\n    """D."""\n    return▮ x\n',
    "a body after pass": 'def f(x):\n    """D."""\n    pass▮\n    return x\n',
    "nothing said": "def f(x):▮\n    pass\n",
    "a tool's comment": "def f(x):▮\n    pass  # noqa: E501\n",
    "a ruler": "# ------\ndef f(x):▮\n    pass\n",
    "abstract": '@abc.abstractmethod\ndef f(x):\n    """D.▮"""\n',
    "overload": '@overload\ndef f(x):\n    """D.▮"""\n    ...\n',
    "two on a line": 'def f(x):\n    """D."""; pass▮\n',
    "outside": '▮\ndef f(x):\n    """D."""\n',
    "below": 'def f(x):\n    """D."""\n\n▮y = 1\n',
    "a class": 'class A:\n    """D.▮"""\n',
    "in another body": 'def f(x):\n    """D."""\n    def g(): return 1▮\n',
    "comment of a statement above": "# about y\ny = 1▮\ndef f(x):\n    pass\n",
    "nothing at all": "▮",
    "a null byte": "\x00▮",
    "an open parenthesis": "def f((((▮",
}


@pytest.mark.parametrize("marked", NOT_OFFERED.values(), ids=NOT_OFFERED)
def test_anything_else_is_left_alone(marked: str) -> None:
    _, stub = find(marked)

    assert stub is None


def test_the_innermost_function_is_meant() -> None:
    _, stub = find('def f():\n    """D."""\n    def g():\n        """E.▮"""\n')

    assert stub is not None
    assert stub.name == "g"


def test_the_span_covers_decorators_and_comments_below() -> None:
    text, stub = find('x = 1\n@cache\ndef f(x):\n    """D.▮"""\n    # hint\n\n\ny = 2\n')

    assert stub is not None
    assert text.value[stub.start : stub.end] == '@cache\ndef f(x):\n    """D."""\n    # hint'


def test_a_model_is_given_the_stub_dedented_with_its_docstring() -> None:
    _, stub = find(
        "class A:\n"
        "\t@cache\n"
        "\tdef area(\n"
        "\t\tself, w: int,\n"
        "\t) -> int:▮\n"
        '\t\t"""Width times height.\n'
        "\n"
        "\t\tAt least 0.\n"
        '\t\t"""\n'
        "\t\tpass  # mind w < 0\n"
    )

    assert stub is not None
    assert stub.source == (
        "@cache\n"
        "def area(self, w: int) -> int:\n"
        '    """Width times height.\n'
        "\n"
        "    At least 0.\n"
        '    """\n'
        "    # mind w < 0"
    )


def test_a_comment_stands_in_for_a_missing_docstring() -> None:
    """The embedded model knows stubs with docstrings; a comment says the same."""
    _, stub = find("def f(x):\n    # Double x,\n    # at least 0.\n    ▮pass\n")

    assert stub is not None
    assert stub.source == 'def f(x):\n    """Double x,\n    at least 0.\n    """'


def test_quotes_and_backslashes_of_a_docstring_survive() -> None:
    _, stub = find("def f(x):\n    '''Say \"\"\"a\\\\n\"\"\".▮'''\n")

    assert stub is not None
    assert stub.source == 'def f(x):\n    """Say \\"\\"\\"a\\\\n\\"\\"\\"."""'


@pytest.mark.parametrize(
    ("marked", "indent"),
    [
        ('def f():\n  """D.▮"""\n', "  "),
        ('class A:\n\tdef f(self):\n\t\t"""D.▮"""\n', "\t\t"),
        ("if 1:\n  y = 1\n# d\ndef f():▮\n", "  "),
        ("# d\ndef f():▮\n", "    "),
        # Most of the text decides, not the oddest line of it.
        ("if 1:\n    y = 1\nif 2:\n    y = 2\nif 3:\n   y = 3\n# d\ndef f():▮\n", "    "),
        ("class A:\n\tx = 1\n\n\t# d\n\tdef f(self):▮\n", "\t\t"),
    ],
)
def test_the_body_is_indented_as_the_text_around_it(marked: str, indent: str) -> None:
    _, stub = find(marked)

    assert stub is not None
    assert stub.slot.indent == indent
