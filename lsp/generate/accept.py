"""Where a proposal enters the document: one versioned `workspace/applyEdit`, one undo step."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from assistant.tasks import TaskKind
from lsp.documents import Document
from lsp.generate import abilities
from lsp.generate.jobs import Job, located
from lsp.generate.places import path_of
from lsp.generate.plans import Plan, plan_for, tests_module
from lsp.generate.proposals import Anchor, Proposal, State
from lsp.generate.telling import settle
from lsp.python.edits import Insertion
from lsp.python.reply import Refused
from lsp.text import Text

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
        plan, target = _target(server, job, proposal.code)
        try:
            result = await server.workspace_apply_edit_async(_edit(server, target, plan, proposal))
        except JsonRpcException as error:
            raise Refused(f"The editor did not apply the edit: {error.message}") from error
        later = await _later(server, target, plan)
        if later is None and not result.applied:
            reason = f": {result.failure_reason}" if result.failure_reason else "."
            raise Refused(f"The editor did not apply the edit{reason}")
        if plan.path is not None and result.applied:
            await _show(server, target.uri)
            return None
        if later is None or (result.applied and not _passed_over(job, plan, later)):
            return None if later is None else _anchor(plan, later)
    raise Refused(f"The editor was never ready for the edit of {name}. Try again.")


@dataclass(frozen=True, slots=True)
class _Target:
    """The file that an edit is for, and its version where it is open."""

    uri: str
    document: Document | None


def _target(server: AssistantServer, job: Job, code: str) -> tuple[Plan, _Target]:
    if job.kind is not TaskKind.TESTS:
        return plan_for(job, code), _Target(job.document.uri, job.document)
    opened = {
        path: one for one in server.documents.open_ones() if (path := path_of(one.uri)) is not None
    }
    module = tests_module(job, {path: one.text.value for path, one in opened.items()})
    there = opened.get(module.path)
    return plan_for(job, code, module), _Target(there.uri if there else module.path.as_uri(), there)


async def _later(server: AssistantServer, target: _Target, plan: Plan) -> Document | None:
    """What the editor tells next of the file; nothing is waited for in one that is not open."""
    if target.document is None or plan.path is not None:
        return None
    return await server.documents.newer(target.document, FEEDBACK)


async def _show(server: AssistantServer, uri: str) -> None:
    """Open the file of the tests, or nobody would see what was written."""
    if abilities.shows_documents(server):
        with contextlib.suppress(JsonRpcException):
            await server.window_show_document_async(types.ShowDocumentParams(uri, take_focus=False))


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


def _edit(
    server: AssistantServer, target: _Target, plan: Plan, proposal: Proposal
) -> types.ApplyWorkspaceEditParams:
    title, annotated = proposal.job.title, abilities.annotates_edits(server)
    version = None if target.document is None else target.document.version
    identifier = types.OptionalVersionedTextDocumentIdentifier(target.uri, version)
    edits = [_text_edit(server, plan.before, one, annotated=annotated) for one in plan.edits]
    changes: list[types.TextDocumentEdit | types.CreateFile] = []
    if plan.creates:
        options = types.CreateFileOptions(ignore_if_exists=True)
        changes.append(types.CreateFile(target.uri, options=options))
    changes.append(types.TextDocumentEdit(identifier, edits))
    said = f"The check: {proposal.said}" if proposal.said else None
    annotation = types.ChangeAnnotation(title, needs_confirmation=False, description=said)
    edit = types.WorkspaceEdit(
        document_changes=changes,
        change_annotations={_ANNOTATION: annotation} if annotated else None,
    )
    return types.ApplyWorkspaceEditParams(edit, label=title)


def _text_edit(
    server: AssistantServer, text: Text, edit: Insertion, *, annotated: bool
) -> types.TextEdit | types.AnnotatedTextEdit:
    encoding = server.documents.encoding
    span = types.Range(
        types.Position(*text.place(edit.start, encoding)),
        types.Position(*text.place(edit.end, encoding)),
    )
    if annotated:
        return types.AnnotatedTextEdit(_ANNOTATION, span, edit.new)
    return types.TextEdit(span, edit.new)
