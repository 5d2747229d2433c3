"""The way from a problem to accepted reasoning, as a generator of calls.

It knows no network: it yields a `Call`, is sent the `Answer`, and returns what was accepted. So
the same code is driven by a live endpoint, by batch files and by records that are on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from assistant.format.completion import Rationale
from training.teachers.calls import Answer, Call, Message, Sampling
from training.teachers.prompts import Template, Turn, messages
from training.teachers.sections import Rejected, read_sections
from training.world import Problem

Accepted = TypeVar("Accepted")
Dialogue = Generator[Call, Answer, Accepted]

SEEDS_A_SAMPLE = 1000
"""Sample 1 begins with seed + 1000; the attempts at a sample count up from there."""


class Failed(Exception):
    """No answer was accepted; the text of the last reason. Costs this sample, not the run."""


@dataclass
class Notes:
    """What happened on the way, for the report."""

    rejected: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Asking:
    """How each problem is asked for."""

    template: Template
    sampling: Sampling = field(default_factory=Sampling)
    attempts: int = 4
    """How often a turn is asked for before the sample counts as failed."""


def rationale(problem: Problem, sample: int, how: Asking, notes: Notes) -> Dialogue[Rationale]:
    """The reasoning for one sample of a problem.

    Raises:
        Failed: a turn was not answered acceptably in `how.attempts` attempts.
    """
    before: dict[str, str] = {}
    for turn in how.template.turns[:-1]:
        before[turn.name] = yield from _turn(problem, sample, turn, before, how, notes, _some_text)
    last = how.template.turns[-1]
    return (yield from _turn(problem, sample, last, before, how, notes, read_sections))


def _turn(
    problem: Problem,
    sample: int,
    turn: Turn,
    before: dict[str, str],
    how: Asking,
    notes: Notes,
    read: Callable[[str], Accepted],
) -> Dialogue[Accepted]:
    first = messages(turn, problem, before)
    return (yield from ask(problem.id, turn.name, first, sample, how, notes, read))


def ask(
    task: str,
    turn: str,
    first: tuple[Message, ...],
    sample: int,
    how: Asking,
    notes: Notes,
    read: Callable[[str], Accepted],
) -> Dialogue[Accepted]:
    """Ask until `read` accepts, each time saying what was wrong.

    Raises:
        Failed: it never did.
    """
    said: tuple[Message, ...] = first
    reason = "it was never asked for"
    for attempt in range(how.attempts):
        seed = how.sampling.seed + SEEDS_A_SAMPLE * sample + attempt
        sampling = replace(how.sampling, seed=seed)
        answer = yield Call(task, turn, said, sampling, sample, attempt)
        if not answer.whole:
            # Not shown again: it would only make the next one longer.
            reason = f"the answer was longer than {sampling.max_tokens} tokens"
            notes.rejected.append(reason)
            said = first
            continue
        try:
            return read(answer.text)
        except Rejected as rejected:
            reason = str(rejected)
            notes.rejected.append(reason)
            said = (*first, *_again(answer.text, reason))
    raise Failed(f"{turn}: not accepted {how.attempts} times; the last reason: {reason}")


def _some_text(text: str) -> str:
    if not text.strip():
        raise Rejected("there must be some text")
    return text.strip()


def _again(text: str, reason: str) -> tuple[dict[str, str], ...]:
    """The turns that show the teacher what was wrong."""
    return (
        {"role": "assistant", "content": text},
        {
            "role": "user",
            "content": f"Not accepted: {reason}. Answer again in the form that was asked for.",
        },
    )
