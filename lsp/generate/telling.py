"""What the editor is told of proposals while they come about and when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.events import Verdict
from lsp.generate import abilities
from lsp.generate.proposals import Proposal, State, Ticker

if TYPE_CHECKING:
    from lsp.server import AssistantServer

EVENT = "assistant/event"
PROPOSALS = "assistant/proposals"
REFRESH_EVERY = 0.25
"""Seconds between two times that an editor is asked to read a page again."""


def tell_event(server: AssistantServer, proposal: Proposal, kind: str, **more: Any) -> None:
    """One `assistant/event`; keys without a value are left out. Refreshes the page."""
    if abilities.takes_events(server):
        told = {key: value for key, value in more.items() if value is not None}
        number = next(proposal.sequence)
        body = {"proposal": proposal.id, "uri": proposal.uri, "seq": number, "kind": kind, **told}
        server.protocol.notify(EVENT, body)
    refresh_page(server, proposal)


def tell_change(server: AssistantServer, uri: str) -> None:
    """The proposals of a document are others than before, or in another state."""
    if abilities.takes_events(server):
        listed = [described(server, one) for one in server.proposals.pending(uri)]
        server.protocol.notify(PROPOSALS, {"uri": uri, "proposals": listed})
    if abilities.refreshes_lenses(server):
        server.workspace_code_lens_refresh(None)


def described(server: AssistantServer, proposal: Proposal) -> dict[str, Any]:
    """A proposal as an editor lists it."""
    return {
        "id": proposal.id,
        "task": proposal.job.kind.value,
        "title": proposal.job.title,
        "state": proposal.state.value,
        "range": server.converter.unstructure(range_of(server, proposal)),
        "document": proposal.page,
        **({"preview": proposal.preview} if proposal.preview else {}),
        **verdict_of(proposal.verdict),
    }


def range_of(server: AssistantServer, proposal: Proposal) -> types.Range:
    """Where a proposal belongs now."""
    document = server.documents.get(proposal.uri) or proposal.job.document
    return server.documents.range(document, *proposal.near(document))


def verdict_of(verdict: Verdict | None) -> dict[str, Any]:
    """A verdict under its key; nothing when there is none."""
    return {} if verdict is None else {"verdict": plain(verdict)}


def plain(verdict: Verdict) -> dict[str, str]:
    """A verdict as an object of the protocol."""
    return {
        "outcome": verdict.outcome.value,
        "layer": verdict.layer,
        "detail": verdict.detail,
    }


def refresh_page(server: AssistantServer, proposal: Proposal) -> None:
    """Have the editor read a proposal's page again, if it has read it, and not too often."""
    if not proposal.read:
        return
    if proposal.ticker is None:
        params = types.TextDocumentContentRefreshParams(proposal.page)
        proposal.ticker = Ticker(
            REFRESH_EVERY, lambda: server.workspace_text_document_content_refresh(params)
        )
    proposal.ticker.ask()


def settle(server: AssistantServer, proposal: Proposal, state: State, reason: str = "") -> None:
    """Put a proposal into another state, and tell of it."""
    proposal.state, proposal.reason = state, reason
    tell_change(server, proposal.uri)
    refresh_page(server, proposal)
