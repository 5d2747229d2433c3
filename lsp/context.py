"""What a model is told of the rest of the project (`assistant.context`).

Events of documents are only noted here; files are looked at in a thread, when somebody asks. What
goes along with a completion while somebody types is made ready beforehand and stays the same as
long as it can: a model reads it once, and each change of it would be read anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pygls.uris import to_fs_path

from assistant.client.types import FileText
from assistant.context.types import Context, Found
from assistant.errors import AssistantError
from lsp.documents import Document, Happened

if TYPE_CHECKING:
    from assistant.context.gather import Workspace
    from lsp.server import AssistantServer

logger = logging.getLogger(__name__)

INLINE_TOKENS = 1024
"""At most, for a completion: they are read before the first one comes."""
FAR = 4_000
"""Characters from a place after which another place is another matter."""
NOTED = 16
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Ready:
    """What goes along with completions in a document, and what it was made for."""

    files: tuple[FileText, ...]
    offset: int
    elsewhere: int
    """What had happened in other documents."""
    made: float


class ContextSource:
    """Gathers context for requests of one editor."""

    def __init__(self, server: AssistantServer) -> None:
        self._server = server
        self._noted: OrderedDict[tuple[str, int], tuple[Document, int]] = OrderedDict()
        """Places where something happened that the ring does not know yet."""
        self._happenings = 0
        self._own: Counter[str] = Counter()
        """How many of them, by open document."""
        self._ready: dict[str, _Ready] = {}
        self._making: dict[str, asyncio.Task[None]] = {}
        server.documents.listen(self._happened)

    @cached_property
    def _workspace(self) -> Workspace:
        from assistant.context.gather import Workspace

        return Workspace()

    def refusal(self, document: Document) -> str:
        """Why nothing of a document may go to a model, by its name; empty when it may."""
        from assistant.context.ignoring import SECRET, has_secret_name

        # A link may be called otherwise than the secret that it leads to.
        names = (_path_of(document.uri), _real(document), _named(document.uri))
        return SECRET if any(one is not None and has_secret_name(one) for one in names) else ""

    async def for_generate(self, document: Document, start: int, end: int) -> Context:
        """What helps to write or explain `[start, end)` of a document.

        A model that can not be reached is no error here: whoever asks it next is told.
        """
        from assistant.context.budget import budget_of, fitted

        if not self._wanted(document):
            return Context()
        engine = self._server.engine
        try:
            info = await engine.model_info()
            if not budget_of(info.context_length):
                return Context()
            found = await self._found(document, start, end, own=True)
            return await fitted(
                found,
                info,
                await engine.connection(),
                request=document.text.value[start:end],
                max_tokens=engine.resolved().settings.ask.max_tokens,
            )
        except AssistantError:
            return Context()
        except Exception as error:
            # Without its text, which may hold some of the document's.
            logger.error("%s while context was gathered", type(error).__name__)
            return Context()

    def for_inline(self, document: Document, offset: int) -> tuple[FileText, ...]:
        """Texts of other files for a completion at `offset`, the most important last; at once.

        What is not ready is made so in the background, for the next time.
        """
        if not self._wanted(document):
            return ()
        ready = self._ready.get(document.uri)
        if self._is_old(ready, document.uri, offset) and document.uri not in self._making:
            task = asyncio.get_running_loop().create_task(self._make_ready(document, offset))
            self._making[document.uri] = task
            task.add_done_callback(lambda _: self._making.pop(document.uri, None))
        return ready.files if ready is not None else ()

    def _wanted(self, document: Document) -> bool:
        return self._server.features.context and _path_of(document.uri) is not None

    def _is_old(self, ready: _Ready | None, uri: str, offset: int) -> bool:
        if ready is None or abs(offset - ready.offset) > FAR:
            return True
        if time.monotonic() - ready.made > READY_SECONDS:
            return True
        return ready.elsewhere != self._elsewhere(uri)

    def _elsewhere(self, uri: str) -> int:
        """What happens in the document itself is in front of the model anyway."""
        return self._happenings - self._own[uri]

    async def _make_ready(self, document: Document, offset: int) -> None:
        from assistant.context.budget import budget_of, roughly_fitted

        files: tuple[FileText, ...] = ()
        elsewhere = self._elsewhere(document.uri)
        try:
            budget = min(budget_of(await self._inline_length()), INLINE_TOKENS)
            found = await self._found(document, offset, offset, own=False) if budget else Found()
            pieces = roughly_fitted(found, budget).pieces
            files = tuple(FileText(piece.name, piece.text) for piece in pieces)
        except AssistantError:
            pass
        except Exception as error:
            logger.error("%s while context was made ready", type(error).__name__)
        if self._server.documents.get(document.uri) is not None:
            self._ready[document.uri] = _Ready(files, offset, elsewhere, time.monotonic())

    async def _inline_length(self) -> int | None:
        """The context length of the model that completes."""
        connection = await self._server.engine.connection()
        for entry in await connection.models():
            if "inline" in (entry.get("roles") or ()):
                length = entry.get("context_length")
                return length if isinstance(length, int) else None
        return (await self._server.engine.model_info()).context_length

    async def _found(self, document: Document, start: int, end: int, *, own: bool) -> Found:
        noted = list(self._noted.values())
        self._noted.clear()
        opened = self._server.documents.open_ones()
        return await asyncio.to_thread(self._gathered, document, start, end, own, noted, opened)

    def _gathered(
        self,
        document: Document,
        start: int,
        end: int,
        own: bool,
        noted: list[tuple[Document, int]],
        opened: tuple[Document, ...],
    ) -> Found:
        """In a thread: files are read here."""
        from assistant.context.definitions import Spot

        for one, offset in noted:
            if (path := _real(one)) is not None:
                self._workspace.note(path, one.text.value, offset)
        buffers = {path: one.text.value for one in opened if (path := _real(one)) is not None}
        path = _real(document)
        if path is None:
            return Found()
        spot = Spot(path, document.text.value, start, end, document.language)
        return self._workspace.for_place(spot, buffers, own=own)

    def _happened(self, what: Happened, document: Document) -> None:
        """Note it: this runs at every key."""
        if what is Happened.CLOSED:
            self._ready.pop(document.uri, None)
            self._own.pop(document.uri, None)
        if what not in (Happened.OPENED, Happened.CHANGED) or not self._wanted(document):
            return
        offset = document.changes[-1].start if document.changes else 0
        self._happenings += 1
        self._own[document.uri] += 1
        key = document.uri, offset // FAR
        self._noted[key] = document, offset
        self._noted.move_to_end(key)
        while len(self._noted) > NOTED:
            self._noted.popitem(last=False)


def _path_of(uri: str) -> Path | None:
    """Where a document lies; None when it is in no file."""
    if not uri.startswith("file:"):
        return None
    try:
        path = to_fs_path(uri)
    except ValueError:
        return None
    return Path(path) if path else None


def _named(uri: str) -> Path | None:
    """What a document of any scheme is called: those of other machines have no path here."""
    try:
        return Path(unquote(urlsplit(uri).path))
    except ValueError:
        return None


def _real(document: Document) -> Path | None:
    """The same without symbolic links."""
    path = _path_of(document.uri)
    try:
        return Path(os.path.realpath(path)) if path is not None else None
    except (OSError, ValueError):
        return None
