"""Where an edit is applied: one versioned `workspace/applyEdit` for the document as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp.documents import Document
from lsp.python.edits import Insertion, edits_for
from lsp.python.reply import Body, Refused
from lsp.python.stubs import Stub, find_stub

if TYPE_CHECKING:
    from lsp.server import AssistantServer

ATTEMPTS = 3
"""How often an edit is made anew for an editor that had moved on when it arrived."""
FEEDBACK = 1.0
"""Seconds in which an editor tells of an edit, ours or the one that it refused ours for."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be implemented: a stub in one snapshot of a document."""

    document: Document
    stub: Stub


async def apply_body(server: AssistantServer, target: Target, body: Body) -> None:
    """Make the edit for the document as it is now.

    Raises:
        Refused: the stub has changed, or the editor does not take the edit.
    """
    for _ in range(ATTEMPTS):
        now = follow(server, target)
        edits = edits_for(now.document.text, now.stub, body)
        try:
            result = await server.workspace_apply_edit_async(_versioned(server, now, edits))
        except JsonRpcException as error:
            raise Refused(f"The editor did not apply the edit: {error.message}") from error
        later = await server.documents.newer(now.document, FEEDBACK)
        if later is None and not result.applied:
            reason = f": {result.failure_reason}" if result.failure_reason else "."
            raise Refused(f"The editor did not apply the edit{reason}")
        if later is None or (result.applied and not _passed_over(now, later)):
            return
    raise Refused(f"The editor was never ready for the body of {target.stub.name}. Try again.")


def _passed_over(asked: Target, later: Document) -> bool:
    """True when the editor said `applied` and yet only the person's own change came.

    Neovim says so, too, when it refused an edit for a version that it had left, as happens while
    somebody types. A text that is as before was edited and taken back: that is to stay so.
    """
    return later.text != asked.document.text and _found(later, asked) is not None


def follow(server: AssistantServer, target: Target) -> Target:
    """The same stub in the newest snapshot.

    Raises:
        Refused: it is not there any more as it was.
    """
    now = server.documents.get(target.document.uri)
    stub = None if now is None else _found(now, target)
    if now is None or stub is None:
        raise Refused(
            f"{target.stub.name} changed while its body was being written, so nothing was applied."
        )
    return Target(now, stub)


def _found(now: Document, target: Target) -> Stub | None:
    """The target's stub in a later snapshot, if it is there as it was."""
    then, stub = target.document, target.stub
    if not now.descends_from(then):
        return None
    span = now.followed(then.version, stub.start, stub.end)
    here = None if span is None else find_stub(now.text, span[0])
    same = here is not None and span is not None and here.start == span[0]
    return here if same and here is not None and here.source == stub.source else None


def _versioned(
    server: AssistantServer, target: Target, edits: Sequence[Insertion]
) -> types.ApplyWorkspaceEditParams:
    document = target.document
    identifier = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    text_edits = [
        types.TextEdit(server.documents.range(document, edit.start, edit.end), edit.new)
        for edit in edits
    ]
    change = types.TextDocumentEdit(identifier, text_edits)
    return types.ApplyWorkspaceEditParams(
        types.WorkspaceEdit(document_changes=[change]), label=f"Implement {target.stub.name}"
    )
