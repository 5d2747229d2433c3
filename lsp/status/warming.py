"""The engine is made ready before the first request, so that the first suggestion is quick.

Only where it will be asked: in an editor that shows suggestions, once it has opened code. Looking
into a letter loads no model, and nothing is told when it fails: the first request does that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp.documents import Document, Happened

if TYPE_CHECKING:
    from lsp.server import AssistantServer

PROSE = frozenset(
    {"plaintext", "text", "markdown", "log", "help", "diff", "qf", "scminput", ""}
    | {"gitcommit", "git-commit", "gitrebase", "git-rebase"}
)
"""Languages, by the editors' names, that are opened to be read, or to write a few words."""


def warm_when_code_is_opened(server: AssistantServer) -> None:
    """From now on the first document with code warms the engine up; once a session."""
    warmed = False

    def happened(what: Happened, document: Document) -> None:
        nonlocal warmed
        if warmed or what is not Happened.OPENED or document.language.lower() in PROSE:
            return
        if suggests(server):
            warmed = True
            server.engine.warm()

    server.documents.listen(happened)


def suggests(server: AssistantServer) -> bool:
    """Whether this editor will ask for suggestions."""
    features, asked = server.features, server.client_capabilities.text_document
    ghost_text = asked is not None and asked.inline_completion is not None
    return features.completion or (features.inline and ghost_text)
