"""Follows one answer from the first token to the verdict, and tells of it as it comes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types

from assistant.ability import require_able
from assistant.answer import AnswerOptions, PromptProgress, answer
from assistant.errors import AssistantError
from assistant.events import Code, Done, Failed, Reasoning, Verdict
from assistant.tasks import TaskKind
from lsp.generate import abilities
from lsp.generate.checking import judge_for
from lsp.generate.plans import plan_for
from lsp.generate.proposals import Attempt, Proposal, State
from lsp.generate.sending import LastSent, Recording
from lsp.generate.telling import plain, tell_event
from lsp.progress import Progress
from lsp.python.reply import Refused

if TYPE_CHECKING:
    from lsp.server import AssistantServer

TAIL = 72
"""Characters of the running line of reasoning that a progress message shows."""


async def write(server: AssistantServer, proposal: Proposal, progress: Progress) -> State:
    """Generate and check; the proposal holds what came of it.

    Returns:
        The state that the proposal is to have: offered or explained.

    Raises:
        AssistantError: there is nothing to offer; its text says why.
    """
    job = proposal.job
    progress.report("starting the model")
    resolved = server.engine.resolved()
    connection = Recording(await server.engine.connection())
    require_able(job.kind, await server.engine.model_info())
    region = job.region
    proposal.context = await server.context.for_generate(job.document, region.start, region.end)
    task = replace(job.task, context=proposal.context.pieces)
    checking = partial(asyncio.get_running_loop().call_soon_threadsafe, progress.report, "checking")
    options = AnswerOptions(
        max_tokens=resolved.settings.ask.max_tokens,
        judge=judge_for(job, checking),
        repairs=1 if server.features.repair and job.kind is not TaskKind.EXPLAIN else 0,
    )
    server.proposals.sent[job.document.uri] = LastSent(proposal.context, connection.sent)
    try:
        async with aclosing(answer(task, connection, options)) as events:
            async for event in events:
                if isinstance(event, Done):
                    return _done(server, proposal, event, options)
                _take(server, proposal, event, progress)
    finally:
        if connection.broken:
            await server.engine.forget(connection.connection)
    raise AssistantError("The answer ended without a result.")


def _take(
    server: AssistantServer,
    proposal: Proposal,
    event: PromptProgress | Reasoning | Code | Verdict | Failed,
    progress: Progress,
) -> None:
    """Take in one event.

    Raises:
        AssistantError: it says that there is no answer.
    """
    match event:
        case PromptProgress(total=total, processed=processed):
            progress.report("reading", f"{processed} of {total} tokens" if total else "")
        case Reasoning():
            attempt = _attempt(proposal, event)
            attempt.think(event.section, event.text)
            progress.report(f"thinking: {event.section.value}", _running_line(attempt))
            _told(server, proposal, event, "reasoning", section=event.section.value)
        case Code():
            attempt = _attempt(proposal, event)
            attempt.code += event.text
            lines = attempt.code.count("\n")
            progress.report("writing", f"line {lines + 1}")
            _told(server, proposal, event, "code")
        case Verdict():
            proposal.attempts.setdefault(event.candidate, Attempt()).verdict = event
            tell_event(server, proposal, "verdict", candidate=event.candidate, verdict=plain(event))
        case Failed():
            raise AssistantError(event.reason)


def _attempt(proposal: Proposal, event: Reasoning | Code) -> Attempt:
    """The candidate that the event belongs to."""
    proposal.current = event.candidate
    attempt = proposal.attempts.setdefault(event.candidate, Attempt())
    attempt.pieces += 1
    if event.replaces is not None:
        proposal.attempts.setdefault(event.replaces, Attempt()).replaced = True
    return attempt


def _told(
    server: AssistantServer,
    proposal: Proposal,
    event: Reasoning | Code,
    kind: str,
    section: str | None = None,
) -> None:
    tell_event(
        server,
        proposal,
        kind,
        candidate=event.candidate,
        replaces=event.replaces,
        section=section,
        text=event.text,
    )


def _running_line(attempt: Attempt) -> str:
    """How much was thought, and the line that is being thought, for a progress message."""
    line = attempt.reasoning[-1][1].rstrip().rpartition("\n")[2]
    tokens = f"{attempt.pieces} token{'s' * (attempt.pieces != 1)}"
    return f"about {tokens}: {line[-TAIL:]}"


def _done(server: AssistantServer, proposal: Proposal, done: Done, options: AnswerOptions) -> State:
    """See whether what was written can be offered.

    Raises:
        Refused: it can not.
    """
    proposal.chosen = done.candidate
    proposal.verdict = proposal.attempt.verdict
    _log(server, proposal)
    cut_off = done.stats.completion_tokens >= options.max_tokens
    if proposal.job.kind is TaskKind.EXPLAIN:
        if cut_off:
            proposal.notes.append(f"cut off at the limit of {options.max_tokens} tokens")
        return State.EXPLAINED
    if cut_off:
        raise Refused(
            f"The answer can not be used: it was cut off at its limit of {options.max_tokens} "
            "tokens. Raise max_tokens under [ask]."
        )
    plan = plan_for(proposal.job, proposal.code)
    proposal.preview = plan.preview
    if plan.creates and not abilities.creates_files(server):
        proposal.notes.append(f"this editor can not make {plan.path}; take the tests from here")
        return State.EXPLAINED
    return State.OFFERED


def _log(server: AssistantServer, proposal: Proposal) -> None:
    """The verdict goes to the editor's own log; reasoning has a page of its own."""
    if proposal.said:
        said = f"Verdict on {proposal.job.name}: {proposal.said}"
        server.window_log_message(types.LogMessageParams(types.MessageType.Log, said))
