"""Where a proposal enters the document: one versioned `workspace/applyEdit`, one undo step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp.documents import Document
from lsp.generate import abilities
from lsp.generate.jobs import Job, located
from lsp.generate.plans import Plan, plan_for
from lsp.generate.proposals import Anchor, Proposal, State
from lsp.generate.telling import settle
from lsp.python.edits import Insertion
from lsp.python.reply import Refused

if TYPE_CHECKING:
    from lsp.server import AssistantServer

ATTEMPTS = 3
"""How often an edit is made anew for an editor that had moved on when it arrived."""
FEEDBACK = 1.0
"""Seconds in which an editor tells of an edit, ours or the one that it refused ours for."""
_ANNOTATION = "assistant"


async def accept(server: AssistantServer, proposal: Proposal) -> dict[str, Any]:
    """Put an offered proposal into the document as it is now.

    Returns:
        `{"applied": true}`, or `{"applied": false, "reason": ...}` after the person has been told.
    """
    if proposal.state is not State.OFFERED or proposal.busy:
        return _refused(server, Refused(f"{proposal.job.title}: there is nothing to accept now."))
    proposal.busy = True
    try:
        proposal.anchor = await _apply(server, proposal)
    except Refused as refused:
        return _refused(server, refused)
    finally:
        proposal.busy = False
    settle(server, proposal, State.ACCEPTED)
    return {"applied": True}


def _refused(server: AssistantServer, refused: Refused) -> dict[str, Any]:
    server.tell(str(refused), types.MessageType.Info)
    return {"applied": False, "reason": str(refused)}


async def _apply(server: AssistantServer, proposal: Proposal) -> Anchor | None:
    """Make the edit for the newest version until it is there; where it is, if that is known.

    Raises:
        Refused: the lines have changed, or the editor does not take the edit.
    """
    name = proposal.job.name
    for _ in range(ATTEMPTS):
        job = follow(server, proposal.job)
        plan = plan_for(job, proposal.code)
        try:
            result = await server.workspace_apply_edit_async(
                _versioned(server, job, plan, proposal)
            )
        except JsonRpcException as error:
            raise Refused(f"The editor did not apply the edit: {error.message}") from error
        later = await server.documents.newer(job.document, FEEDBACK)
        if later is None and not result.applied:
            reason = f": {result.failure_reason}" if result.failure_reason else "."
            raise Refused(f"The editor did not apply the edit{reason}")
        if later is None or (result.applied and not _passed_over(job, plan, later)):
            return None if later is None else _anchor(plan, later)
    raise Refused(f"The editor was never ready for the edit of {name}. Try again.")


def follow(server: AssistantServer, job: Job) -> Job:
    """The same job in the newest snapshot.

    Raises:
        Refused: its lines are not there any more as they were.
    """
    now = server.documents.get(job.document.uri)
    here = None if now is None else located(job, now)
    if here is None:
        raise Refused(f"{job.name} has changed since it was asked for, so nothing was applied.")
    return here


def _passed_over(job: Job, plan: Plan, later: Document) -> bool:
    """True when the editor said `applied` and yet only the person's own change came.

    Neovim says so, too, when it refused an edit for a version that it had left, as happens while
    somebody types. A text that is as before was edited and taken back: that is to stay so.
    """
    if later.text in (job.document.text, plan.after):
        return False
    still = located(job, later)
    new = plan.after.value[plan.start : plan.end]
    return still is not None and not later.text.value.startswith(new, still.region.start)


def _anchor(plan: Plan, later: Document) -> Anchor | None:
    """Where the new lines stand in the editor's text."""
    if later.text == plan.after:
        return Anchor(later, plan.start, plan.end)
    new = plan.after.value[plan.start : plan.end]
    at = later.text.value.find(new)
    if at < 0 or later.text.value.find(new, at + 1) >= 0:
        return None
    return Anchor(later, at, at + len(new))


def _versioned(
    server: AssistantServer, job: Job, plan: Plan, proposal: Proposal
) -> types.ApplyWorkspaceEditParams:
    document = job.document
    identifier = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    annotated = abilities.annotates_edits(server)
    edits = [_text_edit(server, document, edit, annotated=annotated) for edit in plan.edits]
    change = types.TextDocumentEdit(identifier, edits)
    said = f"The check: {proposal.said}" if proposal.said else None
    annotation = types.ChangeAnnotation(job.title, needs_confirmation=False, description=said)
    edit = types.WorkspaceEdit(
        document_changes=[change],
        change_annotations={_ANNOTATION: annotation} if annotated else None,
    )
    return types.ApplyWorkspaceEditParams(edit, label=job.title)


def _text_edit(
    server: AssistantServer, document: Document, edit: Insertion, *, annotated: bool
) -> types.TextEdit | types.AnnotatedTextEdit:
    span = server.documents.range(document, edit.start, edit.end)
    if annotated:
        return types.AnnotatedTextEdit(_ANNOTATION, span, edit.new)
    return types.TextEdit(span, edit.new)
