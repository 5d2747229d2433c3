"""Serves the pages of proposals: as documents of the server's, or as files for other editors."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp.generate import abilities
from lsp.generate.names import SCHEME
from lsp.generate.pages import page_of
from lsp.generate.proposals import Proposal

if TYPE_CHECKING:
    from lsp.server import AssistantServer

_PAGE = re.compile(rf"{SCHEME}:/+proposal/(?P<id>[0-9a-f]+)/")


def read_page(
    server: AssistantServer, params: types.TextDocumentContentParams
) -> types.TextDocumentContentResult:
    """The text of a page; one that is gone says so, since editors show errors as pop-ups."""
    match = _PAGE.match(params.uri)
    proposal = server.proposals.get(match["id"]) if match is not None else None
    if proposal is None:
        return types.TextDocumentContentResult("This proposal is not kept any more.\n")
    proposal.read = True
    return types.TextDocumentContentResult(page_of(proposal))


async def show(server: AssistantServer, proposal: Proposal) -> str:
    """Open a page in the editor if it can do that; the uri under which it can be read."""
    if abilities.reads_pages(server):
        uri, focus = proposal.page, False
    elif abilities.takes_events(server):
        return proposal.page  # it has a window of its own for this
    else:
        uri, focus = _as_file(server, proposal).as_uri(), True
    if abilities.shows_documents(server):
        try:
            await server.window_show_document_async(types.ShowDocumentParams(uri, take_focus=focus))
        except JsonRpcException:
            return uri  # it would not; the uri is all there is
    elif not abilities.reads_pages(server):
        server.tell(f"{proposal.job.title}: see {uri}", types.MessageType.Info)
    return uri


def _as_file(server: AssistantServer, proposal: Proposal) -> Path:
    """The page as it is now, in a folder of this session that only its owner can read."""
    folder = server.proposals.folder
    if folder is None:
        folder = server.proposals.folder = tempfile.TemporaryDirectory(prefix="assistant-")
    path = Path(folder.name) / f"{proposal.id}.md"
    path.write_text(page_of(proposal), encoding="utf-8", errors="replace")
    return path
