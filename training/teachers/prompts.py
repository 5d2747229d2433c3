"""What a teacher is asked, by name.

A template is a row of turns; the last one writes the four sections, those before it write what
the next ones read (`agents.py` has the templates of several turns). `forward` shows the problem
alone, as Z ~ p(z | X) of arXiv 2510.17598 says; `backward` shows a correct solution too, as
teachers explain known solutions better than they solve (Li and Mooney, arXiv 2404.08148).
Another wording is another prompt and has another key: nothing kept for one is used for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assistant.errors import UsageProblem
from assistant.format.completion import outline
from training.world import Problem

_FORM = f"""Answer with exactly these four sections and nothing else, no code fence, no code \
section:

{outline()}"""


@dataclass(frozen=True)
class Turn:
    """One question. `user` may name `{task}`, `{solution}` and the turns before it."""

    name: str
    system: str
    user: str


@dataclass(frozen=True)
class Template:
    """A named way to ask; the last turn's answer is the reasoning."""

    name: str
    summary: str
    turns: tuple[Turn, ...]

    @property
    def shows_solution(self) -> bool:
        """Whether the reasoning is made knowing the code."""
        return any("{solution}" in turn.user for turn in self.turns)


TASK = "Task:\n{task}"
_SOLUTION = f"{TASK}\n\nA correct solution, not to be quoted:\n{{solution}}"
EXPLAIN = f"You explain how to solve a small programming task before any code is written.\n{_FORM}"
_PLAN = f"""You are the designer in a team: another person will write the program from your notes \
alone, without seeing the task. Think about which facts decide the result, then write the notes.
{_FORM}"""
_MATHEMATICS = f"""You are a mathematician who prepares a programming task. First find the \
quantities and name them; then the relations between them, as equations, recurrences or \
invariants with their ranges; then derive the algorithm from these relations, and say in the \
steps which formula each step uses. Write every formula that is used under its heading; write \
None there only when the task has no quantity that follows from another.
{_FORM}"""


def _single(name: str, summary: str, system: str, user: str) -> Template:
    return Template(name, summary, (Turn("writer", system, user),))


SINGLE = (
    _single("forward", "the problem alone", EXPLAIN, TASK),
    _single("backward", "the problem and a correct solution", EXPLAIN, _SOLUTION),
    _single("forward-notes", "the problem alone, in a second wording", _PLAN, TASK),
    _single("backward-notes", "problem and solution, in the second wording", _PLAN, _SOLUTION),
    _single("mathematics", "quantities and relations first, then the steps", _MATHEMATICS, TASK),
)


def template(name: str) -> Template:
    """The template called `name`.

    Raises:
        UsageProblem: there is none.
    """
    from training.teachers.agents import CHAINS

    known = {one.name: one for one in (*SINGLE, *CHAINS)}
    if name not in known:
        raise UsageProblem(
            f"there is no prompt template {name!r}; there are: {', '.join(known)}",
            hint=f"--set contexts.template={SINGLE[0].name}",
        )
    return known[name]


def task_text(problem: Problem) -> str:
    """The request, with the function's name where the tests need it and the request hides it."""
    if problem.signature is None and problem.name:
        return f"{problem.request}\n\nThe function is called {problem.name}."
    return problem.request


def messages(turn: Turn, problem: Problem, before: Mapping[str, str]) -> tuple[dict[str, str], ...]:
    """The messages of a turn.

    Args:
        turn: which one.
        problem: what it is about.
        before: the answers of the turns before it, by their names.
    """
    # Not `format`: code and statements are full of braces.
    parts = {"task": task_text(problem), "solution": problem.code, **before}
    return (
        {"role": "system", "content": turn.system},
        {"role": "user", "content": _filled(turn.user, parts)},
    )


def _filled(text: str, parts: Mapping[str, str]) -> str:
    """`text` with each `{name}` replaced, once: what is put in is not looked through again."""
    pieces = [text]
    for name, value in parts.items():
        mark = f"{{{name}}}"
        split: list[str] = []
        # Even places are the template's own text, odd ones are values.
        for place, piece in enumerate(pieces):
            if place % 2:
                split.append(piece)
                continue
            own = piece.split(mark)
            for number, part in enumerate(own):
                split += [part] if not number else [value, part]
        pieces = split
    return "".join(pieces)
