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
from lsp.generate import commands
from lsp.generate.actions import KINDS, code_actions
from lsp.generate.content import read_page
from lsp.generate.generate import generate
from lsp.generate.lenses import hover, lenses
from lsp.generate.names import ACCEPT, CANCEL, CONTEXT, GENERATE, REASONING, REJECT, VERIFY
from lsp.generate.proposals import SCHEME
from lsp.generate.sending import context_command

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def register(server: AssistantServer) -> None:
    """Add the requests and the commands."""
    actions = types.CodeActionOptions(code_action_kinds=list(KINDS))
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, actions)(
        lambda params: code_actions(server, params)
    )
    server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=False))(
        lambda params: lenses(server, params)
    )
    server.feature(types.TEXT_DOCUMENT_HOVER)(lambda params: hover(server, params))
    pages = types.TextDocumentContentOptions(schemes=[SCHEME])
    server.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT, pages)(
        lambda params: read_page(server, params)
    )
    server.command(GENERATE)(lambda params: generate(server, params))
    server.command(ACCEPT)(lambda params: commands.accept(server, params))
    server.command(REJECT)(lambda params: commands.reject(server, params))
    server.command(VERIFY)(lambda params: commands.verify(server, params))
    server.command(CANCEL)(lambda params: commands.cancel(server, params))
    server.command(REASONING)(lambda params: commands.reasoning(server, params))
    server.command(CONTEXT)(lambda params: context_command(server, params))
    server.documents.listen(lambda what, document: _happened(server, what, document))


def _happened(server: AssistantServer, what: Happened, document: Document) -> None:
    if what in (Happened.CLOSED, Happened.OPENED):  # opened again: a new story
        commands.closed(server, document.uri)
