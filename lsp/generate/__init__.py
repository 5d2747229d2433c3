"""Code with reasoning, on request: offered by code actions, written by commands, then decided on.

names.py      the names of the commands
actions.py    the code actions that carry them; instant
arguments.py  what the commands are given
jobs.py       what is asked for at a place, and where that place is in a later version
region.py     whole lines, dedented for a model and indented again
generate.py   the command that has a model write
stream.py     one answer from the first token to the verdict
sending.py    what was sent, kept for whoever wants to see it
checking.py   what is checked before code is offered
places.py     where a document lies on disk
plans.py      from an answer's code to the edits of a document
proposals.py  what was generated, kept apart from the document until it is accepted
accept.py     its edit, for the version that the editor has then
commands.py   accept, reject, cancel, verify, reasoning
telling.py    events, the list of proposals, lenses and pages kept fresh
pages.py      a proposal as a Markdown document
content.py    how an editor gets that document
lenses.py     code lenses and hover over the lines of a proposal
abilities.py  what the editor can do
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from lsp.documents import Document, Happened
from lsp.generate import names
from lsp.later import later

if TYPE_CHECKING:
    from lsp.server import AssistantServer

_COMMANDS = {
    names.GENERATE: "lsp.generate.generate.generate",
    names.ACCEPT: "lsp.generate.commands.accept",
    names.REJECT: "lsp.generate.commands.reject",
    names.VERIFY: "lsp.generate.commands.verify",
    names.CANCEL: "lsp.generate.commands.cancel",
    names.REASONING: "lsp.generate.commands.reasoning",
    names.CONTEXT: "lsp.generate.sending.context_command",
}


def register(server: AssistantServer) -> None:
    """Add the requests and the commands."""
    actions = types.CodeActionOptions(code_action_kinds=list(names.KINDS))
    lenses = types.CodeLensOptions(resolve_provider=False)
    pages = types.TextDocumentContentOptions(schemes=[names.SCHEME])
    for method, options, handler in (
        (types.TEXT_DOCUMENT_CODE_ACTION, actions, "lsp.generate.actions.code_actions"),
        (types.TEXT_DOCUMENT_CODE_LENS, lenses, "lsp.generate.lenses.lenses"),
        (types.TEXT_DOCUMENT_HOVER, None, "lsp.generate.lenses.hover"),
        (types.WORKSPACE_TEXT_DOCUMENT_CONTENT, pages, "lsp.generate.content.read_page"),
    ):
        server.feature(method, options)(later(server, handler))
    for command, handler in _COMMANDS.items():
        server.command(command)(later(server, handler))
    server.documents.listen(lambda what, document: _happened(server, what, document))


def _happened(server: AssistantServer, what: Happened, document: Document) -> None:
    if what in (Happened.CLOSED, Happened.OPENED):  # opened again: a new story
        from lsp.generate import commands

        commands.closed(server, document.uri)
