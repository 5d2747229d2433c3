"""Over the wire: each task but the first, from the request to the file that it leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lsp.conftest import Start
from tests.support.generating import (
    answer_of,
    asking,
    command,
    events,
    messages,
)
from tests.support.lsp_client import Buffer, LspClient

CART = """\
class Cart:
\tdef total(self, prices):
\t\tresult = 0
\t\tfor price in price:
\t\t\tresult += price
\t\treturn result
"""
FIXED = """\
def total(self, prices):
    result = 0
    for price in prices:
        result += price
    return result
"""


def done(client: LspClient, request: int) -> dict[str, Any]:
    """The proposal is there; accept it."""
    result: dict[str, Any] = client.result(request)
    assert result["state"] == "offered", result
    assert command(client, "accept", proposal=result["proposal"]) == {"applied": True}
    return result


def test_a_diagnostic_is_fixed_where_it_is(session: Start) -> None:
    """A method with tabs; one line of it changes, and the edit is that line."""
    client, endpoint = session(answer_of(FIXED))
    buffer = Buffer("file:///a.py", CART)
    client.open(buffer)
    diagnostic = {"message": "undefined name 'price'", "code": "F821"}

    done(client, asking(client, buffer, "fix", "in price", diagnostic=diagnostic))

    assert buffer.text == CART.replace("in price:", "in prices:")
    (edit,) = client.of("workspace/applyEdit")
    ((one,),) = [change["edits"] for change in edit["edit"]["documentChanges"]]
    assert one["newText"] == "\t\tfor price in prices:\n"
    asked = endpoint.requests[0]["messages"][-1]["content"]
    assert "undefined name 'price' [F821]" in asked
    assert "It is about this line: for price in price:" in asked
    assert "def total(self, prices):\n\tresult = 0" in asked


def test_what_is_wrong_is_found_where_nobody_says_it(session: Start) -> None:
    client, endpoint = session(answer_of("def f(x):\n    return x\n"))
    buffer = Buffer("file:///a.py", "def f(x):\n    return y\n")
    client.open(buffer)

    done(client, asking(client, buffer, "fix", "y"))

    assert buffer.text == "def f(x):\n    return x\n"
    assert "Undefined: y" in endpoint.requests[0]["messages"][-1]["content"]


def test_nothing_wrong_is_nothing_to_fix(session: Start) -> None:
    client, endpoint = session("")
    buffer = Buffer("file:///a.py", "def f(x):\n    return x\n")
    client.open(buffer)

    result = client.result(asking(client, buffer, "fix"))

    assert result["state"] == "refused"
    assert messages(client) == [result["reason"]]
    assert "Nothing is known to be wrong here" in result["reason"]
    assert endpoint.requests == []


def test_a_selection_is_rewritten_and_its_imports_go_to_the_top(session: Start) -> None:
    client, endpoint = session(answer_of("import math\n\nreturn math.tau * r\n"))
    text = '"""Circles."""\n\n\ndef round_length(r):\n    # around\n    return 2 * 3.14 * r\n'
    buffer = Buffer("file:///a.py", text)
    client.open(buffer)
    request = asking(
        client, buffer, "rewrite", "return 2 * 3.14 * r", select=True, instruction="use math.tau"
    )

    done(client, request)

    assert buffer.text == (
        '"""Circles."""\n\nimport math\n\n\ndef round_length(r):\n    # around\n'
        "    return math.tau * r\n"
    )
    assert "use math.tau" in endpoint.requests[0]["messages"][-1]["content"]


def test_other_languages_keep_their_indentation(session: Start) -> None:
    text = "impl A {\n\tfn f(x: i32) -> i32 {\n\t\tx\n\t}\n}\n"
    client, endpoint = session(
        answer_of(
            "fn f(x: i32) -> i32 {\n    if x > 0 {\n        x\n    } else {\n        0\n    }\n}",
            "rust",
        )
    )
    buffer = Buffer("file:///a.rs", text)
    client.open(buffer, "rust")

    result = done(client, asking(client, buffer, "rewrite", "x\n", instruction="never below 0"))

    assert buffer.text == (
        "impl A {\n\tfn f(x: i32) -> i32 {\n\t\tif x > 0 {\n\t\t\tx\n\t\t} else {\n\t\t\t0\n\t\t}\n"
        "\t}\n}\n"
    )
    assert result["verdict"]["outcome"] in ("parsed", "not checked")
    assert "```rust" in endpoint.requests[0]["messages"][-1]["content"]


def test_rewriting_needs_an_instruction(session: Start) -> None:
    client, endpoint = session("")
    buffer = Buffer("file:///a.py", "x = 1\n")
    client.open(buffer)

    assert client.result(asking(client, buffer, "rewrite"))["state"] == "refused"
    assert endpoint.requests == []


def test_only_the_docstring_of_an_answer_is_used(session: Start) -> None:
    """Whatever else it wrote: the code stays what it is, line endings included."""
    described = '"""Area of a box.\n\n    >>> area(2, 3)\n    6\n    """'
    code = f"def area(w, h):\n    {described}\n    return h*w\n"
    client, _ = session(answer_of(code))
    head = "class A:\r\n    @staticmethod\r\n    def area(w, h):\r\n"
    text = f"{head}        # sides\r\n        return w * h\r\n"
    buffer = Buffer("file:///a.py", text)
    client.open(buffer)

    done(client, asking(client, buffer, "docstring", "area"))

    docstring = (
        '        """Area of a box.\r\n\r\n        >>> area(2, 3)\r\n        6\r\n        """\r\n'
    )
    assert buffer.text == text.replace("        # sides", f"{docstring}        # sides")


def test_an_example_in_a_docstring_is_run(session: Start) -> None:
    code = 'def area(w, h):\n    """Area.\n\n    >>> area(2, 3)\n    7\n    """\n    return w * h\n'
    client, _ = session(answer_of(code))
    buffer = Buffer("file:///a.py", "def area(w, h):\n    return w * h\n")
    client.open(buffer)

    result = client.result(asking(client, buffer, "docstring"))

    assert (result["state"], result["verdict"]["outcome"]) == ("offered", "wrong")


EXPLANATION = "It doubles.\n\n```python\nreturn 2 * x\n```\n\nNothing else.\n"


def test_an_explanation_is_a_page_and_no_edit(ours: Start) -> None:
    client, _ = ours(EXPLANATION)
    buffer = Buffer("file:///a.py", "def f(x):\n    return 2 * x\n")
    client.open(buffer)

    result = client.result(asking(client, buffer, "explain"))

    assert result["state"] == "explained"
    assert command(client, "accept")["applied"] is False
    page = command(client, "reasoning", proposal=result["proposal"])
    assert "It doubles." in page["text"]
    assert "```python\nreturn 2 * x\n```" in page["text"]
    assert [one for one in events(client) if one["kind"] == "code"] == []
    assert client.of("workspace/applyEdit") == []


def test_an_explanation_opens_as_a_file_in_an_editor_that_knows_nothing_of_pages(
    own_session: Start,
) -> None:
    capabilities = {"workspace": {"applyEdit": True}, "window": {"showDocument": {"support": True}}}
    client, _ = own_session(EXPLANATION, capabilities=capabilities)
    buffer = Buffer("file:///a.py", "def f(x):\n    return 2 * x\n")
    client.open(buffer)

    client.result(asking(client, buffer, "explain"))

    (shown,) = client.of("window/showDocument")
    path = Path(shown["uri"].removeprefix("file://"))
    assert "It doubles." in path.read_text("utf-8")
    client.leave()
    assert not path.exists()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with a module and no tests."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    source = "RATE = 2\n\n\ndef double(x):\n    return RATE * x\n"
    (tmp_path / "cart.py").write_text(source)
    return tmp_path


TESTS = """\
import pytest
from somewhere import double


def double(x):
    return 2 * x


@pytest.mark.parametrize("n", [1, 2])
def test_double(n):
    assert double(n) == 2 * n


if __name__ == "__main__":
    test_double(1)
"""


def opened(client: LspClient, path: Path) -> Buffer:
    buffer = Buffer(path.as_uri(), path.read_text("utf-8"))
    client.open(buffer)
    return buffer


def test_tests_go_to_a_new_file(shop: Path, ours: Start) -> None:
    """They import the code by its right name; a copy of it would test itself."""
    (shop / "tests").mkdir()
    client, endpoint = ours(answer_of(TESTS))
    buffer = opened(client, shop / "cart.py")

    result = client.result(asking(client, buffer, "tests", "def double"))
    client.answers["workspace/applyEdit"] = lambda _: {"applied": True}
    assert command(client, "accept", proposal=result["proposal"]) == {"applied": True}

    (edit,) = client.of("workspace/applyEdit")
    create, change = edit["edit"]["documentChanges"]
    uri = (shop / "tests" / "test_cart.py").as_uri()
    assert (create["kind"], create["uri"]) == ("create", uri)
    assert (change["textDocument"]["uri"], change["textDocument"]["version"]) == (uri, None)
    (one,) = change["edits"]
    assert one["newText"] == (
        "import pytest\nfrom cart import double\n\n\n"
        '@pytest.mark.parametrize("n", [1, 2])\n'
        "def test_double(n):\n    assert double(n) == 2 * n\n"
    )
    assert "from cart import double" in endpoint.requests[0]["messages"][-1]["content"]
    assert [shown["uri"] for shown in client.of("window/showDocument")] == [uri]
    assert buffer.text == (shop / "cart.py").read_text()


PLAIN = "def test_double():\n    assert double(3) == 6\n"


def test_tests_are_appended_to_their_file(shop: Path, ours: Start) -> None:
    """It is open, with changes that are on no disk; a taken name gets a number."""
    (shop / "test_cart.py").write_text("")
    client, _ = ours(answer_of(PLAIN))
    buffer = opened(client, shop / "cart.py")
    tests = Buffer(
        (shop / "test_cart.py").as_uri(),
        "import os\n\n\ndef test_double():\n    assert os.sep\n",
        version=7,
    )
    client.open(tests)

    result = done(client, asking(client, buffer, "tests", "def double"))

    assert tests.text == (
        "import os\nfrom cart import double\n\n\ndef test_double():\n    assert os.sep\n\n\n"
        "def test_double_2():\n    assert double(3) == 6\n"
    )
    assert result["verdict"]["outcome"] == "pass"


def test_a_wrong_test_says_that_one_of_the_two_is_wrong(shop: Path, ours: Start) -> None:
    client, _ = ours(answer_of(PLAIN.replace("6", "7")))
    buffer = opened(client, shop / "cart.py")

    result = client.result(asking(client, buffer, "tests", "def double"))

    assert result["verdict"]["outcome"] == "wrong"
    assert "either the test or the code is wrong" in result["verdict"]["detail"]


def test_an_editor_that_makes_no_files_is_shown_the_tests(shop: Path, session: Start) -> None:
    client, _ = session(answer_of(PLAIN))
    buffer = opened(client, shop / "cart.py")

    result = client.result(asking(client, buffer, "tests", "def double"))

    assert result["state"] == "explained"
    text = command(client, "reasoning", proposal=result["proposal"])["text"]
    assert "this editor can not make" in text
    assert "from cart import double" in text
    assert client.of("workspace/applyEdit") == []


def test_related_tests_of_the_project_are_run(shop: Path, ours: Start) -> None:
    """In the sandbox, against the file as it would be."""
    (shop / "test_cart.py").write_text(
        "from cart import double\n\n\ndef test_double():\n    assert double(3) == 6\n"
    )
    (shop / "cart.py").write_text('def double(x):\n    """Double x."""\n')
    good = 'def double(x):\n    """Double x."""\n    return 2 * x\n'
    client, endpoint = ours(answer_of(good.replace("2 *", "3 *")), answer_of(good))
    buffer = opened(client, shop / "cart.py")

    result = done(client, asking(client, buffer, "implement", "def double"))

    assert result["verdict"]["outcome"] == "pass"
    assert "test_cart.py" in result["verdict"]["detail"]
    assert "the first failed: wrong" in result["verdict"]["detail"]
    assert len(endpoint.requests) == 2
    assert buffer.text == good


@pytest.mark.parametrize("task", ["implement", "tests", "docstring"])
def test_other_languages_are_refused_where_only_python_is_known(task: str, session: Start) -> None:
    client, endpoint = session("")
    buffer = Buffer("file:///a.rs", "fn f() {}\n")
    client.open(buffer, "rust")

    result = client.result(asking(client, buffer, task))

    assert result["state"] == "refused"
    assert "in Python only" in result["reason"]
    assert endpoint.requests == []
