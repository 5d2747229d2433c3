"""The code actions: what the assistant can do at a place. Instant; asks no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.tasks import TaskKind
from lsp.documents import Document
from lsp.generate import abilities
from lsp.generate.jobs import PYTHON, function_at, has_body, lacks_docstring, short
from lsp.generate.lenses import commands_for
from lsp.generate.names import EXPLAIN, GENERATE, QUICKFIX, REWRITE
from lsp.generate.proposals import State
from lsp.python.stubs import find_stub

if TYPE_CHECKING:
    from lsp.server import AssistantServer

MOST_FIXES = 3
LONGEST = 100_000
"""Characters of a document that is parsed at an editor's own wish: whoever types would wait for it,
and a suggestion too, as long as that takes."""
_TITLE = 60


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be done."""

    title: str
    kind: str
    command: types.Command
    diagnostics: tuple[types.Diagnostic, ...] = ()
    preferred: bool = False
    writes: bool = True
    """A model is asked."""


def code_actions(
    server: AssistantServer, params: types.CodeActionParams
) -> list[types.CodeAction | types.Command] | None:
    """What can be done at the cursor or with the selection."""
    document = server.documents.seen(params.text_document.uri)
    if document is None or not abilities.applies_edits(server):
        return None
    if server.context.refusal(document):
        return None
    wanted = params.context.only
    found = [one for one in _offers(server, document, params) if _wanted(one.kind, wanted)]
    if not found:
        return None
    server.documents.keep(document)
    if not abilities.knows_action_literals(server):
        return [one.command for one in found]
    return [_action(server, one) for one in found]


def _offers(
    server: AssistantServer, document: Document, params: types.CodeActionParams
) -> Iterator[Offer]:
    """In the order in which they are shown: what waits for a decision first."""
    start = server.documents.offset(document, params.range.start)
    end = server.documents.offset(document, params.range.end)
    start, end = min(start, end), max(start, end)
    pending = False
    for one in server.proposals.pending(document.uri):
        near = one.near(document)
        if near[0] <= end and start <= near[1]:
            pending = pending or one.state is not State.FAILED
            for command in commands_for(document, one):
                offered = one.state is State.OFFERED and command.title.startswith("Accept")
                yield Offer(command.title, QUICKFIX, command, preferred=offered, writes=False)
    if pending:
        return
    make = _Maker(server, document, params.range)
    # An editor asks by itself at each movement of the cursor; what can be done with any code is
    # offered when somebody asks, or there would always be something.
    by_itself = params.context.trigger_kind is types.CodeActionTriggerKind.Automatic
    if not by_itself or len(document.text.value) <= LONGEST:
        yield from make.implement(start, end)
    yield from make.fixes(params.context.diagnostics)
    if not by_itself:
        yield from make.rest(start, end)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the offers for one request."""

    server: AssistantServer
    document: Document
    span: types.Range

    def implement(self, start: int, end: int) -> Iterator[Offer]:
        """The stub under the cursor or, when that begins on none, where the selection ends."""
        text = self.document.text
        if self.document.language != PYTHON:
            return
        stub = find_stub(text, start) or find_stub(text, end)
        if stub is not None:
            span = self.server.documents.range(self.document, stub.start, stub.end)
            yield self._offer(f"Implement {stub.name}", TaskKind.IMPLEMENT, REWRITE, span)

    def fixes(self, diagnostics: Sequence[types.Diagnostic]) -> Iterator[Offer]:
        """One for each of the first diagnostics that the editor shows here."""
        for one in diagnostics[:MOST_FIXES]:
            told: dict[str, Any] = {"message": one.message}
            if one.code is not None:
                told["code"] = one.code
            title = f"Fix: {short(one.message, _TITLE)}"
            offer = self._offer(title, TaskKind.FIX, QUICKFIX, one.range, diagnostic=told)
            yield Offer(offer.title, offer.kind, offer.command, diagnostics=(one,))

    def rest(self, start: int, end: int) -> Iterator[Offer]:
        """Docstring, tests, rewriting, explaining."""
        text = self.document.text
        block = function_at(text, start) if self.document.language == PYTHON else None
        selected = end > start
        name = "the selection" if selected else block.node.name if block is not None else "this"
        if block is not None and lacks_docstring(text, block):
            title = f"Write a docstring for {block.node.name}"
            yield self._offer(title, TaskKind.DOCSTRING, REWRITE, self.span)
        if block is not None and has_body(block):
            title = f"Write tests for {block.node.name}"
            yield self._offer(title, TaskKind.TESTS, REWRITE, self.span)
        if not text.value[start:end].strip() and not text.line(text.line_of(start)).strip():
            return
        if abilities.asks_for_instructions(self.server):
            yield self._offer(f"Rewrite {name} ...", TaskKind.REWRITE, REWRITE, self.span)
        yield self._offer(f"Explain {name}", TaskKind.EXPLAIN, EXPLAIN, self.span)

    def _offer(
        self, title: str, kind: TaskKind, sort: str, span: types.Range, **more: object
    ) -> Offer:
        argument = {
            "task": kind.value,
            "uri": self.document.uri,
            "version": self.document.version,
            "range": self.server.converter.unstructure(span),
            **more,
        }
        return Offer(title, sort, types.Command(title, GENERATE, arguments=[argument]))


def _wanted(kind: str, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    """Kinds are hierarchical: who asks for `refactor` wants `refactor.rewrite` too."""
    if only is None:
        return True
    kinds = [one.value if isinstance(one, types.CodeActionKind) else one for one in only]
    return any(one in ("", kind) or kind.startswith(f"{one}.") for one in kinds)


def _action(server: AssistantServer, offer: Offer) -> types.CodeAction:
    tag = [types.CodeActionTag.LlmGenerated]
    return types.CodeAction(
        title=offer.title,
        kind=offer.kind,
        command=offer.command,
        diagnostics=list(offer.diagnostics) or None,
        is_preferred=True if offer.preferred else None,
        tags=tag if offer.writes and abilities.knows_generated_tag(server) else None,
    )
