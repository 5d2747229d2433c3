"""The commands about proposals that are there: accept, reject, cancel, verify, reasoning."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.events import Verdict
from lsp.generate import accept as accepting
from lsp.generate.arguments import Choice, choice
from lsp.generate.checking import check_code
from lsp.generate.content import show
from lsp.generate.jobs import located
from lsp.generate.pages import page_of
from lsp.generate.proposals import Proposal, State
from lsp.generate.telling import plain, settle, tell_change, tell_event

if TYPE_CHECKING:
    from lsp.server import AssistantServer

_PENDING = tuple(state for state in State if state.pending)


async def accept(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.accept`."""
    proposal = _chosen(server, choice(params.arguments), State.OFFERED)
    if proposal is None:
        return _nothing(server, "applied", "There is nothing to accept here.")
    return await accepting.accept(server, proposal)


async def reject(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.reject`: dismisses a proposal; one that is being written is cancelled."""
    proposal = _chosen(server, choice(params.arguments), *_PENDING)
    if proposal is None or proposal.state not in _PENDING or proposal.busy:
        return {"rejected": False}
    if proposal.state is State.RUNNING:
        proposal.cancel()
    else:
        settle(server, proposal, State.REJECTED)
    return {"rejected": True}


async def cancel(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.cancel`: stops what is being generated, one or all of it."""
    asked = choice(params.arguments)
    running = [
        one
        for one in server.proposals.running()
        if asked.proposal in (None, one.id) and asked.uri in (None, one.uri)
    ]
    for one in running:
        one.cancel()
    return {"cancelled": len(running)}


async def reasoning(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.reasoning`: the page of a proposal, opened where the editor can."""
    proposal = _chosen(server, choice(params.arguments))
    if proposal is None:
        return {"uri": None, "text": "", "reason": "Nothing was generated here yet."}
    uri = await show(server, proposal)
    return {"uri": uri, "text": page_of(proposal)}


async def verify(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.verify`: runs the check again, for the document as it is now."""
    proposal = _chosen(server, choice(params.arguments), State.OFFERED)
    if proposal is None or proposal.state is not State.OFFERED or proposal.busy:
        return {"verdict": None, "reason": "There is nothing to check here."}
    proposal.busy = True
    tokens = server.tokens
    current = asyncio.current_task()
    assert current is not None
    progress = tokens.begin(
        f"Check {proposal.job.name}", params.work_done_token, lambda: _stop(current)
    )
    try:
        verdict = await _checked_again(server, proposal)
    finally:
        proposal.busy = False
        tokens.end(progress, "checked")
    proposal.verdict = proposal.attempt.verdict = verdict
    tell_event(server, proposal, "verdict", candidate=verdict.candidate, verdict=plain(verdict))
    tell_change(server, proposal.uri)
    return {"verdict": plain(verdict)}


async def _checked_again(server: AssistantServer, proposal: Proposal) -> Verdict:
    now = server.documents.get(proposal.uri)
    job = (located(proposal.job, now) if now is not None else None) or proposal.job
    stop = threading.Event()
    try:
        result = await asyncio.to_thread(check_code, job, proposal.code, stop)
    finally:
        stop.set()
    return Verdict(proposal.chosen or 0, result.outcome, result.layer, result.detail)


def _stop(task: asyncio.Task[Any]) -> None:
    task.cancel()


def _chosen(server: AssistantServer, asked: Choice, *states: State) -> Proposal | None:
    """The proposal of the id, else the newest of the document, else the newest of all."""
    if asked.proposal is not None:
        return server.proposals.get(asked.proposal)
    return server.proposals.newest(asked.uri, *states)


def _nothing(server: AssistantServer, what: str, reason: str) -> dict[str, Any]:
    server.tell(reason, types.MessageType.Info)
    return {what: False, "reason": reason}


def closed(server: AssistantServer, uri: str) -> None:
    """A document was closed: nothing can be accepted into it any more."""
    server.proposals.sent.pop(uri, None)
    for one in server.proposals.pending(uri):
        if one.state is State.RUNNING:
            one.cancel()
        else:
            settle(server, one, State.REJECTED, "the document was closed")
