"""What an answer consists of, as typed events.

Reasoning is another type than code, so that no consumer can mistake one for the other: only
`Code.text` may ever reach a file, an edit or the plain output of `assistant ask`.

The order: `Reasoning` and `Code` in any mixture as they stream, a `Verdict` for each candidate
that was checked, and exactly one terminal event, `Done` or `Failed`, last.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from assistant.outcomes import Outcome as Outcome


class Section(enum.Enum):
    """Where in the reasoning a text belongs; the four sections of the format, or none of them."""

    INTENT = "Intent"
    STEPS = "Steps"
    FORMULAS = "Formulas"
    EDGE_CASES = "Edge cases"
    OTHER = "Other"
    """Thinking without a section: a `<think>` block, or prose around the code."""
    EXPLANATION = "Explanation"
    """The answer itself where words are asked for and no code, with the code that it quotes."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of the model's reasoning, in the order of generation."""

    candidate: int
    section: Section
    text: str
    replaces: int | None = None
    """Set on the first event of a candidate that takes the place of another."""


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of source text; the pieces of one candidate, joined, are its code."""

    candidate: int
    text: str
    replaces: int | None = None
    """Set on the first event of a candidate that takes the place of another."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks found about one candidate."""

    candidate: int
    outcome: Outcome
    layer: str
    """The isolation that the checked code ran in; `none` when nothing ran."""
    detail: str


@dataclass(frozen=True, slots=True)
class Stats:
    """What the answer cost."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    ttft_ms: float = 0.0
    """Time to the first token, from the sending of the request, in milliseconds."""
    tokens_per_second: float = 0.0
    """Rate of generation after the first token."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is complete; `candidate` is the one to use."""

    candidate: int
    stats: Stats


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no answer; `reason` is meant for the user."""

    candidate: int
    reason: str


Event = Reasoning | Code | Verdict | Done | Failed


def to_json(event: Event) -> dict[str, Any]:
    """The event as an object of the `--json` stream (contract, section 4)."""
    match event:
        case Reasoning(candidate, section, text, replaces):
            body = {"type": "reasoning", "candidate": candidate, "section": section.value}
            return body | {"text": text} | _replaces(replaces)
        case Code(candidate, text, replaces):
            return {"type": "code", "candidate": candidate, "text": text} | _replaces(replaces)
        case Verdict(candidate, outcome, layer, detail):
            body = {"type": "verdict", "candidate": candidate, "verdict": outcome.value}
            return body | {"layer": layer, "detail": detail}
        case Done(candidate, stats):
            return {
                "type": "done",
                "candidate": candidate,
                "prompt_tokens": stats.prompt_tokens,
                "cached_tokens": stats.cached_tokens,
                "completion_tokens": stats.completion_tokens,
                "ttft_ms": round(stats.ttft_ms, 1),
                "tokens_per_second": round(stats.tokens_per_second, 1),
            }
        case Failed(candidate, reason):
            return {"type": "error", "candidate": candidate, "reason": reason}


def from_json(body: dict[str, Any]) -> Event:
    """The inverse of `to_json`, but for the rounding of times.

    Raises:
        ValueError: the object is not an event.
    """
    try:
        return _from_json(body)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an event: {body!r}") from error


def _from_json(body: dict[str, Any]) -> Event:
    kind, candidate = body["type"], body["candidate"]
    if kind == "reasoning":
        section = Section(body["section"])
        return Reasoning(candidate, section, body["text"], body.get("replaces"))
    if kind == "code":
        return Code(candidate, body["text"], body.get("replaces"))
    if kind == "verdict":
        return Verdict(candidate, Outcome(body["verdict"]), body["layer"], body["detail"])
    if kind == "done":
        stats = {name: body[name] for name in Stats.__dataclass_fields__}
        return Done(candidate, Stats(**stats))
    if kind == "error":
        return Failed(candidate, body["reason"])
    raise ValueError(f"not an event: {body!r}")


def _replaces(candidate: int | None) -> dict[str, int]:
    return {} if candidate is None else {"replaces": candidate}
