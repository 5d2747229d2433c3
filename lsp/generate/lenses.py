"""What an editor shows over the lines of a proposal: code lenses while it is pending, and hover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from lsp.documents import Document
from lsp.generate import abilities
from lsp.generate.jobs import short
from lsp.generate.names import ACCEPT, CANCEL, REASONING, REJECT, VERIFY
from lsp.generate.pages import hover_of
from lsp.generate.proposals import Proposal, State

if TYPE_CHECKING:
    from lsp.server import AssistantServer

_VERDICT = 80
_HOVERED = (State.RUNNING, State.OFFERED, State.EXPLAINED, State.FAILED, State.ACCEPTED)


def lenses(server: AssistantServer, params: types.CodeLensParams) -> list[types.CodeLens] | None:
    """A lens for each thing that can be done with each pending proposal of a document."""
    document = server.documents.seen(params.text_document.uri)
    if document is None:
        return None
    return [
        types.CodeLens(_head(server, document, one), command=command)
        for one in server.proposals.pending(document.uri)
        for command in commands_for(document, one)
    ] or None


def commands_for(document: Document, proposal: Proposal) -> list[types.Command]:
    """What can be done with a proposal; accepting it stands first."""
    there = proposal.span(document) is not None
    match proposal.state:
        case State.RUNNING:
            said = [(f"Cancel: {proposal.job.title}", CANCEL), ("Why", REASONING)]
        case State.OFFERED:
            found = short(proposal.said, _VERDICT) if proposal.verdict_failed else _word(proposal)
            said = [(f"Accept ({found})", ACCEPT)] if there else []
            said += [("Reject", REJECT), ("Why", REASONING)]
            said += [("Check again", VERIFY)] if there else []
        case _:
            said = [(f"Nothing to accept: {short(proposal.reason, _VERDICT)}", REASONING)]
            said += [("Dismiss", REJECT)]
    argument = {"proposal": proposal.id, "uri": proposal.uri}
    return [types.Command(title, name, arguments=[argument]) for title, name in said]


def _word(proposal: Proposal) -> str:
    return "not checked" if proposal.verdict is None else proposal.verdict.outcome.value


def _head(server: AssistantServer, document: Document, proposal: Proposal) -> types.Range:
    start = proposal.near(document)[0]
    return server.documents.range(document, start, start)


def hover(server: AssistantServer, params: types.HoverParams) -> types.Hover | None:
    """What is known of the generated lines at a position; nothing over any others."""
    document = server.documents.seen(params.text_document.uri)
    if document is None:
        return None
    offset = server.documents.offset(document, params.position)
    for one in reversed(server.proposals.of(document.uri)):
        span = one.span(document) if one.state in _HOVERED else None
        if span is not None and span[0] <= offset <= span[1]:
            markdown = abilities.reads_markdown(server)
            kind = types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText
            content = types.MarkupContent(kind, hover_of(one))
            return types.Hover(content, server.documents.range(document, *span))
    return None
