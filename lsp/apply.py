"""Where an edit is applied: one versioned `workspace/applyEdit` for the document as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp.documents import Document
from lsp.edits import Insertion, edits_for
from lsp.reply import Body, Refused
from lsp.stubs import Stub, find_stub

if TYPE_CHECKING:
    from lsp.server import AssistantServer

ATTEMPTS = 3
"""How often an edit is made anew for an editor that had moved on when it arrived."""


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
    reason = None
    for _ in range(ATTEMPTS):
        now = follow(server, target)
        edits = edits_for(now.document.text, now.stub, body)
        try:
            result = await server.workspace_apply_edit_async(_versioned(server, now, edits))
        except JsonRpcException as error:
            raise Refused(f"The editor did not apply the edit: {error.message}") from error
        if result.applied:
            return
        reason = result.failure_reason
        latest = server.documents.get(now.document.uri)
        if latest is None or latest.version == now.document.version:
            break
    raise Refused(f"The editor did not apply the edit{f': {reason}' if reason else '.'}")


def follow(server: AssistantServer, target: Target) -> Target:
    """The same stub in the newest snapshot.

    Raises:
        Refused: it is not there any more as it was.
    """
    then, stub = target.document, target.stub
    now = server.documents.get(then.uri)
    span = None
    if now is not None and now.descends_from(then):
        span = now.followed(then.version, stub.start, stub.end)
    here = None if now is None or span is None else find_stub(now.text, span[0])
    if (
        now is None
        or span is None
        or here is None
        or (here.start, here.source)
        != (
            span[0],
            stub.source,
        )
    ):
        raise Refused(
            f"{stub.name} changed while its body was being written, so nothing was applied."
        )
    return Target(now, here)


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
