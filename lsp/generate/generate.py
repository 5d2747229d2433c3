"""The command that has a model write: place, proposal, stream, offer.

Nothing is written into the document here: what comes is a proposal, which the person accepts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.errors import AssistantError
from lsp.generate import abilities
from lsp.generate.accept import follow
from lsp.generate.arguments import GenerateArguments, generate_arguments
from lsp.generate.content import show
from lsp.generate.jobs import Job, Wish, job_for, short
from lsp.generate.places import surroundings
from lsp.generate.proposals import Proposal, State
from lsp.generate.stream import write
from lsp.generate.telling import plain, range_of, settle, tell_change, tell_event
from lsp.python.reply import Refused

if TYPE_CHECKING:
    from lsp.progress import Progress
    from lsp.server import AssistantServer


async def generate(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Run the command.

    Returns:
        `{"proposal": id, "state": "offered", "verdict": ...}` and its like. When nothing is there
        to accept, `reason` says why, and the person has been told in one message.

    Raises:
        JsonRpcInvalidParams: the arguments are not those of the command.
        asyncio.CancelledError: the request was cancelled; nothing runs any more.
    """
    asked = generate_arguments(server, params.arguments)
    try:
        job = _job(server, asked)
        _make_room(server, job)
    except Refused as refused:
        server.tell(str(refused), types.MessageType.Info)
        server.reasons.note(asked.uri, asked.range.start.line, str(refused))
        return {"proposal": None, "state": "refused", "reason": str(refused)}
    proposal = Proposal(job)
    server.proposals.add(proposal)
    await _work(server, proposal, params.work_done_token)
    return _result(proposal)


def _job(server: AssistantServer, asked: GenerateArguments) -> Job:
    """What the arguments mean, in the newest snapshot.

    Raises:
        Refused: there is nothing of the kind, or it has changed since.
    """
    seen = server.documents.seen(asked.uri)
    if seen is None or server.documents.get(asked.uri) is None:
        raise Refused("The document is not open.")
    meant = seen if asked.version is None else server.documents.at(asked.uri, asked.version)
    if meant is None:
        raise Refused("The document has changed since this was offered. Ask for it again.")
    if reason := server.context.refusal(meant):
        raise Refused(f"Nothing of this document is sent to a model: it {reason}.")
    start = server.documents.offset(meant, asked.range.start)
    end = server.documents.offset(meant, asked.range.end)
    wish = Wish(asked.task, min(start, end), max(start, end), asked.instruction, asked.diagnostic)
    return follow(server, job_for(meant, wish, surroundings(server, meant)))


def _make_room(server: AssistantServer, job: Job) -> None:
    """One proposal for one place: what was offered there before is taken back.

    Raises:
        Refused: one is being written.
    """
    there = server.proposals.in_the_way(job)
    if any(one.state is State.RUNNING for one in there):
        raise Refused(f"The assistant is at work on {job.name} already. Cancel that first.")
    for one in there:
        settle(server, one, State.REJECTED)


async def _work(
    server: AssistantServer, proposal: Proposal, token: types.ProgressToken | None
) -> None:
    """Write it; every way to cancel ends here."""
    current = asyncio.current_task()
    assert current is not None
    stopped = False

    def cancel() -> None:
        nonlocal stopped
        stopped = True
        work.cancel()

    proposal.cancel = cancel
    progress = server.tokens.begin(proposal.job.title, token, cancel)
    work = asyncio.create_task(_written(server, proposal, progress))
    try:
        await work
    except asyncio.CancelledError:
        if proposal.state is State.RUNNING:  # otherwise it is there, and only its showing ended
            _end(server, proposal, State.CANCELLED, "cancelled")
        if not stopped or current.cancelling():
            raise
    finally:
        if proposal.state is State.RUNNING:  # a bug of ours, which the log has
            _end(server, proposal, State.FAILED, "It failed unexpectedly.")
        server.tokens.end(progress, _last_words(proposal))


async def _written(server: AssistantServer, proposal: Proposal, progress: Progress) -> None:
    """The proposal's whole way, but for its being cancelled."""
    tell_change(server, proposal.uri)
    tell_event(server, proposal, "begin", state=State.RUNNING.value, text=proposal.job.title)
    try:
        with server.status.working(proposal.job.title):
            state = await write(server, proposal, progress)
    except Refused as refused:
        _end(server, proposal, State.FAILED, str(refused))
        server.tell(str(refused), types.MessageType.Info)
    except AssistantError as error:
        _end(server, proposal, State.FAILED, str(error))
        server.status.tell(error)
    else:
        _end(server, proposal, state)
        await _present(server, proposal)


def _end(server: AssistantServer, proposal: Proposal, state: State, reason: str = "") -> None:
    if state is State.FAILED:
        line = range_of(server, proposal).start.line
        server.reasons.note(proposal.uri, line, f"{proposal.job.title}: {reason}")
    verdict = None if proposal.verdict is None else plain(proposal.verdict)
    settle(server, proposal, state, reason)
    tell_event(server, proposal, "end", state=state.value, verdict=verdict, text=reason or None)


async def _present(server: AssistantServer, proposal: Proposal) -> None:
    """Editors that know nothing of proposals are told where to find this one."""
    if abilities.takes_events(server):
        return
    if proposal.state is State.EXPLAINED:
        await show(server, proposal)
        return
    found = short(proposal.said, 200) if proposal.said else "not checked"
    server.tell(
        f"{proposal.job.title}: ready ({found}). Accept or reject it with the code actions there.",
        types.MessageType.Info,
    )


def _last_words(proposal: Proposal) -> str:
    found = "" if proposal.verdict is None else f", {proposal.verdict.outcome.value}"
    return "stopped" if proposal.state is State.CANCELLED else f"{proposal.state.value}{found}"


def _result(proposal: Proposal) -> dict[str, Any]:
    result: dict[str, Any] = {"proposal": proposal.id, "state": proposal.state.value}
    if proposal.verdict is not None:
        result["verdict"] = plain(proposal.verdict)
    if proposal.reason:
        result["reason"] = proposal.reason
    return result
