"""Strict reading of the four sections that a teacher is asked for."""

from __future__ import annotations

import re
from itertools import pairwise

from assistant.format.completion import NO_FORMULAS, SECTIONS, Rationale

_HEADINGS = tuple(f"## {section.value}" for section in SECTIONS)
_STEP = re.compile(r"(\d+)\. +(\S.*)")
_CASE = re.compile(r"- +(\S.*)")
_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
MAX_SENTENCES = 3


class Rejected(ValueError):
    """The answer does not follow the form; the text says why, and is shown to the teacher."""


def read_sections(text: str) -> Rationale:
    """Intent, Steps, Formulas and Edge cases, exactly once each and in this order.

    A leading `<think>` block of a reasoning model is dropped.

    Raises:
        Rejected: anything else is there, or something is missing.
    """
    text = _THINKING.sub("", text).strip()
    if "```" in text:
        raise Rejected("there must be no code fence")
    lines = [line.rstrip() for line in text.splitlines()]
    found = [line for line in lines if line.startswith("#")]
    if found != list(_HEADINGS):
        raise Rejected(
            f"the headings must be exactly {', '.join(_HEADINGS)};"
            f" found {', '.join(found) or 'none'}"
        )
    if lines[0] != _HEADINGS[0]:
        raise Rejected(f"nothing may come before {_HEADINGS[0]}")
    starts = [lines.index(heading) for heading in _HEADINGS] + [len(lines)]
    bodies = [
        [line.strip() for line in lines[start + 1 : end] if line.strip()]
        for start, end in pairwise(starts)
    ]
    for heading, body in zip(_HEADINGS, bodies, strict=True):
        if not body:
            raise Rejected(f"{heading} is empty")
    try:
        return Rationale(
            _intent(bodies[0]), _steps(bodies[1]), _formulas(bodies[2]), _cases(bodies[3])
        )
    except Rejected:
        raise
    except ValueError as error:
        raise Rejected(str(error)) from error


def _intent(body: list[str]) -> str:
    intent = " ".join(body)
    if len(re.findall(r"[.!?](?:\s|$)", intent)) > MAX_SENTENCES:
        raise Rejected(f"the intent must have at most {MAX_SENTENCES} sentences")
    return intent


def _steps(body: list[str]) -> tuple[str, ...]:
    steps = []
    for number, line in enumerate(body, start=1):
        match = _STEP.fullmatch(line)
        if match is None or int(match[1]) != number:
            raise Rejected(f"step {number} must begin with '{number}. ', found {line[:40]!r}")
        steps.append(match[2])
    return tuple(steps)


def _formulas(body: list[str]) -> tuple[str, ...]:
    return () if body == [NO_FORMULAS] else tuple(body)


def _cases(body: list[str]) -> tuple[str, ...]:
    cases = []
    for line in body:
        match = _CASE.fullmatch(line)
        if match is None:
            raise Rejected(f"an edge case must begin with '- ', found {line[:40]!r}")
        cases.append(match[1])
    return tuple(cases)
