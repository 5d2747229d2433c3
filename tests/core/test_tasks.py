"""Requests: one text for training and serving, and the signature that a request gives."""

from __future__ import annotations

import pytest

from assistant.errors import RequestProblem
from assistant.tasks import Task, TaskKind, find_signature, messages, request_text


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
