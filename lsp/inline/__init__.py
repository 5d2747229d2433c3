"""Completions at the cursor: `textDocument/inlineCompletion`, and a list for other editors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def register(server: AssistantServer) -> None:
    """Add the requests and the commands that tell what became of a suggestion."""
