"""The code action: offers to implement the stub under the cursor. Instant; asks no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp.documents import Document
from lsp.python.stubs import Stub, find_stub

if TYPE_CHECKING:
    from lsp.server import AssistantServer

IMPLEMENT = "assistant.implement"
KIND = types.CodeActionKind.RefactorRewrite


def code_actions(
    server: AssistantServer, params: types.CodeActionParams
) -> list[types.CodeAction | types.Command] | None:
    """What can be done at the cursor or, when it begins on nothing, where the selection ends."""
    document = server.documents.get(params.text_document.uri)
    if document is None or document.language != "python":
        return None
    if not _wanted(params.context.only) or not _editor_applies_edits(server):
        return None
    stub = None
    for position in (params.range.start, params.range.end):
        stub = stub or find_stub(document.text, server.documents.offset(document, position))
    if stub is None:
        return None
    server.documents.keep(document)
    command = _command(server, document, stub)
    abilities = server.client_capabilities.text_document
    action = abilities.code_action if abilities is not None else None
    if action is None or action.code_action_literal_support is None:
        return [command]
    return [types.CodeAction(title=command.title, kind=KIND, command=command, tags=_tags(action))]


def _wanted(only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Kinds are hierarchical: who asks for `refactor` wants `refactor.rewrite` too."""
    if only is None:
        return True
    kinds = [kind.value if isinstance(kind, types.CodeActionKind) else kind for kind in only]
    return any(kind in ("", KIND.value) or KIND.value.startswith(f"{kind}.") for kind in kinds)


def _editor_applies_edits(server: AssistantServer) -> bool:
    workspace = server.client_capabilities.workspace
    return workspace is not None and bool(workspace.apply_edit)


def _command(server: AssistantServer, document: Document, stub: Stub) -> types.Command:
    span = server.documents.range(document, stub.start, stub.end)
    argument = {
        "uri": document.uri,
        "version": document.version,
        "range": server.converter.unstructure(span),
    }
    return types.Command(title=f"Implement {stub.name}", command=IMPLEMENT, arguments=[argument])


def _tags(action: types.CodeActionClientCapabilities) -> list[types.CodeActionTag] | None:
    known = action.tag_support.value_set if action.tag_support is not None else ()
    tag = types.CodeActionTag.LlmGenerated
    return [tag] if tag in known else None
