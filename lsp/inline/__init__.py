"""Completions at the cursor: `textDocument/inlineCompletion`, and a list for other editors.

places.py       what a request means: a cursor in a file, and how much is asked for
completions.py  from a request to items: remembered ones, paced asking, cancel-previous
holding.py      while no model is able, none is asked at each key
ahead.py        what comes after accepting, asked for before somebody accepts
items.py        suggestions as the protocol writes them
names.py        the names of the commands
figures.py      what became of suggestions; counted here and nowhere else
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from lsp.inline.names import ACCEPTED, DISMISSED, PARTIALLY_ACCEPTED

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def register(server: AssistantServer) -> None:
    """Add the requests and the commands that tell what became of a suggestion."""

    async def inline_completion(
        params: types.InlineCompletionParams,
    ) -> list[types.InlineCompletionItem] | None:
        return await server.inline.inline_items(params)

    # Without options it would not be told to the editor.
    options = types.InlineCompletionOptions()
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, options)(inline_completion)
    server.command(ACCEPTED)(lambda params: server.inline.accepted(params))
    server.command(PARTIALLY_ACCEPTED)(lambda params: server.inline.partially_accepted(params))
    server.command(DISMISSED)(lambda params: server.inline.dismissed(params))


def register_completion(server: AssistantServer) -> None:
    """Add the list of completions, for an editor that wants it: before capabilities are told."""

    async def completion(params: types.CompletionParams) -> types.CompletionList | None:
        return await server.inline.list_items(params)

    server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())(completion)
