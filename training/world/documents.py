"""Texts for pretraining from the same world: much more of it than requests with answers.

A document is a pair of what the user writes and what is answered, or a text without a user. The
chat template and the special tokens are the tokenizer's business and are added elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from assistant.format.completion import code_opening, fence_for, render
from training.teachers.program import ProgramTeacher
from training.world.drills import drill
from training.world.generator import generate
from training.world.problem import Problem

KINDS = ("reasoning", "direct", "code", "described", "goal", "drill")
_WEIGHTS = (50, 16, 8, 6, 8, 12)


@dataclass(frozen=True)
class Document:
    """One text. `user` is empty when the text is no answer to anybody."""

    kind: str
    user: str
    assistant: str


def direct_answer(problem: Problem) -> str:
    """The code alone, in the format's last section."""
    fence = fence_for(problem.code)
    return f"{code_opening(fence=fence)}{problem.code}{fence}"


def described_code(problem: Problem) -> str:
    """The function with its purpose as a docstring, as it would stand in a file."""
    goal = problem.made.goal
    head, body = problem.code.split(":\n", 1)
    quoted = goal[0].upper() + goal[1:]
    return f'{head}:\n    """{quoted}."""\n{body}'


def document(problem: Problem, kind: str, rng: Random) -> Document:
    """One problem as a document of the given kind."""
    if kind == "reasoning":
        answer = render(ProgramTeacher().context(problem), problem.code)
        return Document(kind, problem.request, answer)
    if kind == "direct":
        return Document(kind, problem.request, direct_answer(problem))
    if kind == "code":
        return Document(kind, "", problem.code)
    if kind == "described":
        return Document(kind, "", described_code(problem))
    if kind == "goal":
        # Many wordings, one meaning: what the intent of the reasoning has to find.
        text = f"Say in plain words what is asked:\n{problem.request}"
        return Document(kind, text, f"{problem.name}: {problem.made.goal}.")
    if kind == "drill":
        return Document(kind, *drill(problem, rng))
    raise ValueError(f"unknown kind of document: {kind!r}")


def pretraining_documents(count: int, seed: int) -> Iterator[Document]:
    """`count` documents made of training problems only, mixed by chance.

    Validation and held-out structures never occur in them.
    """
    rng = Random(f"documents:{seed}")
    for problem in generate(count, seed, splits=("train",)):
        kind = rng.choices(KINDS, weights=_WEIGHTS)[0]
        if kind == "described" and problem.code.startswith(("import", "#")):
            kind = "code"
        yield document(problem, kind, rng)
