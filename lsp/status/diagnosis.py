"""The command `assistant.doctor`: what keeps a suggestion from appearing in this editor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp.progress import Progress
from lsp.status.arguments import argument_of
from lsp.status.running import with_progress

if TYPE_CHECKING:
    from assistant.doctor import Check, Finding
    from lsp.server import AssistantServer

Found = list[tuple["Check", "Finding"]]


async def doctor(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.doctor`: run every check, with the settings of this editor.

    Returns:
        `{"findings": [{check, state, message, advice}], "text"}`; of a run that was stopped those
        that were made.
    """
    argument_of(params)
    found: Found = []

    async def work(progress: Progress) -> None:
        await _diagnose(server, progress, found)

    await with_progress(server, "Assistant doctor", params.work_done_token, work)
    from assistant.doctor import lines

    text = "\n".join(line for check, finding in found for line in lines(check, finding))
    findings = [
        {
            "check": check.name,
            "state": finding.state.value,
            "message": finding.message,
            "advice": finding.advice,
        }
        for check, finding in found
    ]
    return {"findings": findings, "text": text}


async def _diagnose(server: AssistantServer, progress: Progress, found: Found) -> None:
    """One check after the other, each in a thread: a cancel leaves a slow one to itself."""
    from assistant import config
    from assistant.doctor import Check, checks, diagnose

    own = (
        Check("editor", lambda: editor_finding(server)),
        Check("last suggestion", lambda: reason_finding(server)),
    )
    selection = (*checks(), *own)
    with config.standing(server.engine.flags):
        for check in selection:
            progress.report("checking", check.name)
            found += await asyncio.to_thread(list, diagnose((check,)))


def editor_finding(server: AssistantServer) -> Finding:
    """Can this editor show suggestions, and are they wanted?"""
    from assistant.doctor import Finding, State, ok

    features, asked = server.features, server.client_capabilities.text_document
    ghost_text = asked is not None and asked.inline_completion is not None
    if features.inline and ghost_text:
        return ok("suggestions are shown while you type")
    if features.completion:
        return ok("suggestions are in the list of completions")
    if ghost_text:
        message = "suggestions are switched off in this editor"
        return Finding(State.WARNING, message, "Set the option `inline` to true.")
    message = "this editor does not ask for inline completions, so nothing appears while you type"
    advice = "Set the option `completion` to true: then they are in its list of completions."
    return Finding(State.WARNING, message, advice)


def reason_finding(server: AssistantServer) -> Finding:
    """Why was there no suggestion the last time?"""
    from assistant.doctor import ok

    newest = server.reasons.newest()
    if not newest:
        return ok("none was withheld so far")
    return ok(f"the last one that was not shown, at line {newest[0].line + 1}: {newest[0].reason}")
