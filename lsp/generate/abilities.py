"""What an editor says it can do, asked one question at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def applies_edits(server: AssistantServer) -> bool:
    """True when it takes `workspace/applyEdit`."""
    workspace = server.client_capabilities.workspace
    return workspace is not None and bool(workspace.apply_edit)


def takes_events(server: AssistantServer) -> bool:
    """True for clients of ours, which show proposals and their reasoning themselves."""
    return bool(_ours(server).get("events"))


def asks_for_instructions(server: AssistantServer) -> bool:
    """True for clients of ours: they ask for the instruction that a command lacks."""
    return bool(_ours(server))


def reads_pages(server: AssistantServer) -> bool:
    """True when it asks for the text of documents that only the server has."""
    workspace = server.client_capabilities.workspace
    return workspace is not None and workspace.text_document_content is not None


def shows_documents(server: AssistantServer) -> bool:
    """True when it opens a document that the server names."""
    window = server.client_capabilities.window
    return window is not None and bool(window.show_document and window.show_document.support)


def refreshes_lenses(server: AssistantServer) -> bool:
    """True when it asks again for code lenses on demand."""
    workspace = server.client_capabilities.workspace
    return bool(workspace and workspace.code_lens and workspace.code_lens.refresh_support)


def annotates_edits(server: AssistantServer) -> bool:
    """True when it shows a label with an edit."""
    edits = _workspace_edits(server)
    return edits is not None and edits.change_annotation_support is not None


def creates_files(server: AssistantServer) -> bool:
    """True when an edit may make a new file."""
    edits = _workspace_edits(server)
    operations = edits.resource_operations if edits is not None else None
    return types.ResourceOperationKind.Create in (operations or ())


def reads_markdown(server: AssistantServer) -> bool:
    """True when hovers may be Markdown."""
    document = server.client_capabilities.text_document
    hover = document.hover if document is not None else None
    return hover is None or types.MarkupKind.Markdown in (hover.content_format or ())


def knows_action_literals(server: AssistantServer) -> bool:
    """True when code actions may be more than commands."""
    action = _code_action(server)
    return action is not None and action.code_action_literal_support is not None


def knows_generated_tag(server: AssistantServer) -> bool:
    """True when a code action may say that a model will write."""
    action = _code_action(server)
    tags = action.tag_support.value_set if action is not None and action.tag_support else ()
    return types.CodeActionTag.LlmGenerated in tags


def _code_action(server: AssistantServer) -> types.CodeActionClientCapabilities | None:
    document = server.client_capabilities.text_document
    return document.code_action if document is not None else None


def _workspace_edits(server: AssistantServer) -> types.WorkspaceEditClientCapabilities | None:
    workspace = server.client_capabilities.workspace
    return workspace.workspace_edit if workspace is not None else None


def _ours(server: AssistantServer) -> dict[str, Any]:
    experimental = server.client_capabilities.experimental
    ours = experimental.get("assistant") if isinstance(experimental, dict) else None
    return ours if isinstance(ours, dict) else {}
