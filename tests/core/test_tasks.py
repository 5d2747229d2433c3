"""Requests: one text for training and serving, and the signature that a request gives."""

from __future__ import annotations

import pytest

from assistant.context.types import Piece
from assistant.errors import RequestProblem
from assistant.tasks import (
    Task,
    TaskKind,
    find_signature,
    messages,
    messages_again,
    request_text,
    signature_of,
)


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_an_empty_request_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RequestProblem, match="empty") as caught:
        Task(text)
    assert "assistant ask" in caught.value.hint


def test_a_model_trained_here_gets_the_request_alone() -> None:
    task = Task("  add two numbers\n")

    assert messages(task, trained_format=True) == [{"role": "user", "content": "add two numbers"}]


def test_another_model_is_asked_for_the_four_sections() -> None:
    system, user = messages(Task("add", language="rust"), trained_format=False)

    for heading in ("## Intent", "## Steps", "## Formulas", "## Edge cases", "## Code\n```rust"):
        assert heading in system["content"]
    assert user == {"role": "user", "content": "add"}


def test_a_stub_is_given_in_a_fence() -> None:
    stub = 'def f(x):\n    """Double it."""'

    assert request_text(Task(stub, TaskKind.IMPLEMENT)) == (
        f"Implement this function:\n```python\n{stub}\n```"
    )


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        ("Write `add(a, b)` that adds.", "def add(a, b):"),
        ("Write `def add(a, b=2):` please", "def add(a, b=2):"),
        ("Complete:\ndef add(a: int, b: int) -> int:\n    ...", "def add(a: int, b: int) -> int:"),
        (
            'Implement:\n```python\ndef f(xs: list[int] = ()):\n    """Doc."""\n```',
            "def f(xs: list[int] = ()):",
        ),
        ("    async def go(x):\n", "async def go(x):"),
        ("`def f(a=(1, 2)) -> tuple[int, int]`", "def f(a=(1, 2)) -> tuple[int, int]:"),
        ("For example `add(2, 3)` gives 5.", None),
        ("Write `a(x)` and write `b(x)`", None),
        ("Write `add(a, b)`, a function `add(a, b)`", "def add(a, b):"),
        ("no code here (really)", None),
        ("Write a function that returns `len(xs)` doubled.", None),
        ("Then call `go(xs)` twice.", None),
        ("Make a function named `go(xs)`.", "def go(xs):"),
    ],
)
def test_the_signature_is_taken_as_given(text: str, signature: str | None) -> None:
    """A definition, never a call; none when the request is not clear."""
    assert find_signature(text) == signature


CODE = "def add(a, b):\n    return a - b\n"
ABOUT_CODE = [one for one in TaskKind if one not in (TaskKind.ASK, TaskKind.IMPLEMENT)]


class TestAboutCode:
    """Requests that are about code which is there."""

    @pytest.mark.parametrize(
        ("kind", "words", "text"),
        [
            (TaskKind.FIX, "E1: wrong", "Fix this code:\n{code}\nThe problem: E1: wrong"),
            (TaskKind.FIX, "", "Fix this code:\n{code}"),
            (TaskKind.EXPLAIN, "", "Explain this code:\n{code}"),
            (TaskKind.TESTS, "Import shop.", "Write tests for this code:\n{code}\nImport shop."),
            (TaskKind.DOCSTRING, " ", "Write the docstring of this function:\n{code}"),
            (TaskKind.REWRITE, "add c", "Change this code:\n{code}\nadd c"),
        ],
    )
    def test_its_text(self, kind: TaskKind, words: str, text: str) -> None:
        task = Task(words, kind, code=CODE)

        assert request_text(task) == text.format(code=f"```python\n{CODE}```")
        assert messages(task, trained_format=True) == [
            {"role": "user", "content": request_text(task)}
        ]

    @pytest.mark.parametrize("kind", ABOUT_CODE)
    def test_the_code_is_needed_and_told_whole(self, kind: TaskKind) -> None:
        with pytest.raises(RequestProblem, match=f"no code for the request '{kind.value}'"):
            Task("words", kind)
        code = "\n    a = '''\n```\n'''  # ````\n"
        text = request_text(Task("words", kind, "rust", code))

        assert "\n`````rust\n    a = '''\n```\n'''  # ````\n`````" in text

    def test_an_instruction_is_needed(self) -> None:
        with pytest.raises(RequestProblem, match="empty"):
            Task(" ", TaskKind.REWRITE, code=CODE)

    @pytest.mark.parametrize("kind", ABOUT_CODE)
    def test_another_model_is_told_what_is_wanted(self, kind: TaskKind) -> None:
        system, user = messages(Task("words", kind, "rust", CODE), trained_format=False)
        told = {TaskKind.TESTS: "test_*", TaskKind.DOCSTRING: "with its docstring"}
        told |= {TaskKind.FIX: "corrected code", TaskKind.REWRITE: "changed code"}

        assert user["content"] == request_text(Task("words", kind, "rust", CODE))
        assert "rust" in system["content"]
        assert told.get(kind, "do not write the code") in system["content"]
        assert ("## Code\n```rust\n" in system["content"]) is (kind is not TaskKind.EXPLAIN)


def test_pieces_of_context_come_first_each_with_its_name() -> None:
    pieces = (
        Piece("shop/rates.py", "FEE = 5\n", "imported here"),
        Piece("docs/fees.md", "Use:\n```\nfee\n```", "named in the request"),
    )
    text = request_text(Task("add the fee", context=pieces))

    assert text == (
        "From shop/rates.py:\n```\nFEE = 5\n```\n\n"
        "From docs/fees.md:\n````\nUse:\n```\nfee\n```\n````\n\n"
        "add the fee"
    )


def test_after_a_rejected_answer_another_model_is_told_what_was_found() -> None:
    answer, again = messages_again(Task("add"), "x = '```'\n", "wrong: 1 is not 2")

    assert answer == {"role": "assistant", "content": "## Code\n````python\nx = '```'\n````"}
    assert again["role"] == "user"
    assert "wrong: 1 is not 2" in again["content"]


@pytest.mark.parametrize(
    ("task", "signature"),
    [
        (Task("write `def f(a):`"), "def f(a):"),
        (Task("def f(a):\n    ...", TaskKind.IMPLEMENT), "def f(a):"),
        (Task("", TaskKind.DOCSTRING, code=CODE), "def add(a, b):"),
        (Task("", TaskKind.DOCSTRING, code=f"@cache\n{CODE}"), None),
        (Task("", TaskKind.DOCSTRING, code=f"{CODE}\n{CODE.replace('add', 'sub')}"), None),
        (Task("`def f(a):` lacks b", TaskKind.FIX, code=CODE), None),
        (Task("add c", TaskKind.REWRITE, code=CODE), None),
        (Task("write `test_add()`", TaskKind.TESTS, code=CODE), None),
    ],
)
def test_only_a_signature_that_has_to_stay_is_forced(task: Task, signature: str | None) -> None:
    assert signature_of(task) == signature
