"""What a model is told of the rest of the project (`assistant.context`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.client.types import FileText
from assistant.context.types import Context
from lsp.documents import Document

if TYPE_CHECKING:
    from lsp.server import AssistantServer


class ContextSource:
    """Gathers context for requests of one editor."""

    def __init__(self, server: AssistantServer) -> None:
        self._server = server

    async def for_generate(self, document: Document, start: int, end: int) -> Context:
        """What helps to write or explain `[start, end)` of a document."""
        return Context()

    def for_inline(self, document: Document, offset: int) -> tuple[FileText, ...]:
        """Texts of other files for a completion at `offset`, the most important last; at once."""
        return ()
