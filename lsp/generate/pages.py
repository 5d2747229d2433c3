"""The document of a proposal: its reasoning, its code and what the checks found, as Markdown."""

from __future__ import annotations

import re

from assistant.events import Section, Verdict
from assistant.format import fence_for
from assistant.tasks import TaskKind
from lsp.generate.proposals import Attempt, Proposal, State, in_words

_STATE = {
    State.RUNNING: "being written",
    State.OFFERED: "to be accepted or rejected",
    State.EXPLAINED: "an explanation; the document stays as it is",
    State.FAILED: "nothing to accept",
    State.CANCELLED: "cancelled",
    State.ACCEPTED: "accepted",
    State.REJECTED: "rejected",
}
_SUMMARY = 600
"""Characters of reasoning that a hover shows."""


def page_of(proposal: Proposal) -> str:
    """The whole document of a proposal, as it is now."""
    parts = [f"# {_escaped(proposal.job.title)}", _head(proposal)]
    attempt = proposal.attempt
    parts += _reasoning(attempt, "##", explains=proposal.job.kind is TaskKind.EXPLAIN)
    if code := proposal.preview or attempt.code.strip("\n"):
        parts += [f"## Code ({_checked(proposal)})", fenced(code, _language(proposal))]
    if proposal.said:
        parts += ["## Check", _escaped(proposal.said)]
    parts += _earlier(proposal)
    parts += _sent_along(proposal)
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def hover_of(proposal: Proposal) -> str:
    """What is shown over the lines of a proposal: state, verdict, reasoning in short, code."""
    parts = [f"**{_escaped(proposal.job.title)}**: {_head(proposal)}"]
    if proposal.said:
        parts.append(f"Check: {_escaped(proposal.said)}")
    parts.append(_summary(proposal.attempt))
    if proposal.state is State.OFFERED and proposal.preview:
        parts.append(fenced(proposal.preview, _language(proposal)))
    return "\n\n".join(part for part in parts if part)


def fenced(code: str, language: str) -> str:
    """Code as a block of Markdown; the fence is longer than any run of backticks in the code."""
    fence = fence_for(code)
    lines = code.rstrip().replace("\r\n", "\n").replace("\r", "\n")
    return f"{fence}{language}\n{lines}\n{fence}"


def _head(proposal: Proposal) -> str:
    said = [_STATE[proposal.state], *proposal.notes, proposal.reason]
    return "; ".join(_escaped(one) for one in said if one)


def _checked(proposal: Proposal) -> str:
    return "not checked yet" if proposal.verdict is None else proposal.verdict.outcome.value


def _language(proposal: Proposal) -> str:
    return proposal.job.document.language


def _reasoning(attempt: Attempt, heading: str, *, explains: bool) -> list[str]:
    """The sections; prose without a section has no heading, and stays Markdown."""
    parts = []
    for section, text in attempt.reasoning:
        if text.strip() and (section is not Section.OTHER or explains):
            parts.append(f"{heading} {'Thinking' if section is Section.OTHER else section.value}")
        parts.append(text.strip("\n"))
    return parts


def _earlier(proposal: Proposal) -> list[str]:
    """What was tried and is not what is offered."""
    shown = proposal.attempt
    others = [one for one in proposal.attempts.values() if one is not shown and one.code.strip()]
    parts = ["## Tried before"] if others else []
    for number, attempt in enumerate(others, 1):
        parts.append(f"Attempt {number}: {_escaped(_found(attempt.verdict))}")
        parts.append(fenced(attempt.code, _language(proposal)))
    return parts


def _found(verdict: Verdict | None) -> str:
    return "not checked" if verdict is None else in_words(verdict)


def _sent_along(proposal: Proposal) -> list[str]:
    pieces = proposal.context.pieces
    if not pieces:
        return []
    lines = [f"- {_escaped(piece.name)}: {_escaped(piece.why)}" for piece in pieces]
    return ["## Context that was sent", "\n".join(lines)]


def _summary(attempt: Attempt) -> str:
    """The beginning of the reasoning: its intent where it has one."""
    sections = dict(reversed(attempt.reasoning))
    text = (
        sections.get(Section.INTENT)
        or sections.get(Section.EXPLANATION)
        or next((t for _, t in attempt.reasoning if t.strip()), "")
    )
    text = text.strip()
    return text if len(text) <= _SUMMARY else f"{text[:_SUMMARY].rstrip()} ..."


def _escaped(text: str) -> str:
    """Words of ours or of a check as Markdown that says just that."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text.replace("\n", " "))
