"""From a request for completions to items: remembered, or asked of a model at the right moment.

Nothing that goes wrong here becomes an error in the editor: it shows nothing, and the reason is
noted. Of one document only the newest request is answered; the older ones end as cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.errors import AssistantError, DaemonProblem
from assistant.inline import Manner, Nothing, Suggestion, request_for, suggest
from assistant.inline.pacing import Pace
from assistant.inline.remembered import Remembered
from assistant.inline.several import different, several
from assistant.inline.suggest import REPLACED
from lsp.documents import Document, Happened
from lsp.inline.ahead import Ahead
from lsp.inline.figures import Log, Shown
from lsp.inline.holding import Hold
from lsp.inline.items import fits, inline_item, list_item
from lsp.inline.places import Asked, Names, asked_by, place_at

if TYPE_CHECKING:
    from assistant.client.connection import Connection
    from assistant.inline import Request
    from lsp.server import AssistantServer

logger = logging.getLogger(__name__)

FIRST_SECONDS = 3.0
"""Until the first text of a suggestion that comes by itself; later nobody looks for it."""
WHOLE_SECONDS = 5.0
"""Until all of it."""
INVOKED_SECONDS = 15.0
"""The same where somebody pressed a key and waits."""

Found = Nothing | tuple[Suggestion, ...]


class InlineCompletions:
    """The completions of one editor."""

    def __init__(self, server: AssistantServer) -> None:
        self._server = server
        self._names = Names()
        self._remembered = Remembered()
        self._pace = Pace()
        self._hold = Hold()
        self._log = Log()
        self._ahead = Ahead(self._remembered)
        self._running: dict[tuple[str, str], asyncio.Task[Any]] = {}
        self._opening: asyncio.Task[Connection] | None = None
        server.documents.listen(self._listen)

    # What others ask

    def figures(self) -> dict[str, int]:
        """What became of the suggestions of this session."""
        return self._log.as_dict()

    def off_reason(self) -> str:
        """Why no model is asked at present; an empty text: one is."""
        if not self._server.features.inline:
            return "inline completion is switched off in the editor's settings"
        return self._hold.why(time.monotonic(), self._settings())

    def reset(self) -> None:
        """Another model answers from now on: forget what the old one said."""
        self._hold = Hold()
        self._remembered.clear()
        self._ahead.stop()

    # Requests

    async def inline_items(
        self, params: types.InlineCompletionParams
    ) -> list[types.InlineCompletionItem] | None:
        """Answer `textDocument/inlineCompletion`."""
        documents = self._server.documents
        document = documents.seen(params.text_document.uri)
        if document is None:
            return None
        asked = asked_by(params, document, documents, self._names)
        shown = await self._shown(asked, "inline")
        return [inline_item(asked, one, documents) for one in shown] or None

    async def list_items(self, params: types.CompletionParams) -> types.CompletionList | None:
        """Answer `textDocument/completion`."""
        documents = self._server.documents
        document = documents.seen(params.text_document.uri)
        if document is None or not self._server.features.completion:
            return None
        place = place_at(document, documents.offset(document, params.position), self._names)
        shown = await self._shown(Asked(document, place, invoked=False), "list")
        # What is typed on may be the beginning of something else: ask again.
        items = [list_item(Asked(document, place, False), one, documents) for one in shown]
        return types.CompletionList(is_incomplete=True, items=items) if items else None

    async def accepted(self, params: types.ExecuteCommandParams) -> None:
        """A suggestion is in the text now: ask for what comes next."""
        shown = self._told(params)
        if shown is not None:
            self._log.figures.accepted += 1
            self._look_ahead(shown)

    async def partially_accepted(self, params: types.ExecuteCommandParams) -> None:
        """A word or a line of a suggestion was taken."""
        if self._told(params) is not None:
            self._log.figures.partially_accepted += 1

    async def dismissed(self, params: types.ExecuteCommandParams) -> None:
        """A suggestion was refused."""
        if self._told(params) is not None:
            self._log.figures.dismissed += 1

    def _told(self, params: types.ExecuteCommandParams) -> Shown | None:
        match params.arguments:
            case [{"id": str(number)}, *_]:
                return self._log.shown(number)
        return None

    # The way to a suggestion

    async def _shown(self, asked: Asked, kind: str) -> list[Shown]:
        """The suggestions for a request, noted as shown; or none, and the reason noted."""
        self._log.figures.requests += 1
        with self._newest(asked.uri, kind):
            found = await self._found(asked, kind)
        if isinstance(found, Nothing):
            if found.reason != REPLACED:
                self._server.reasons.note(asked.uri, asked.line, found.reason)
            return []
        shown = [self._log.show(asked.uri, asked.place, one) for one in found]
        self._log.figures.shown += bool(shown)
        if shown:
            self._look_ahead(shown[0])
        return shown

    async def _found(self, asked: Asked, kind: str) -> Found:
        remembered = self._from_memory(asked)
        if remembered is not None:
            self._log.figures.remembered += not isinstance(remembered, Nothing)
            return remembered
        if reason := self._off(kind):
            return Nothing(reason)
        extra = self._server.context.for_inline(asked.document, asked.place.offset)
        request = request_for(asked.place, block=asked.invoked, extra=extra)
        if isinstance(request, Nothing):
            return request
        if not asked.invoked:
            await asyncio.sleep(self._pace.delay(time.monotonic()))
        found = await self._asked(asked, request)
        return found if isinstance(found, Nothing) else _fitting(asked, found)

    def _from_memory(self, asked: Asked) -> Found | None:
        found = self._remembered.find(asked.uri, asked.place, whole=asked.invoked)
        return _fitting(asked, found) if isinstance(found, tuple) else found

    def _off(self, kind: str) -> str:
        if kind == "list":
            return self._hold.why(time.monotonic(), self._settings())
        return self.off_reason()

    async def _asked(self, asked: Asked, request: Request) -> Found:
        """Ask a model, within the time that a person looks for it."""
        self._ahead.stop()
        self._log.figures.asked += 1
        seconds = INVOKED_SECONDS if asked.invoked else WHOLE_SECONDS
        connection = None
        try:
            async with asyncio.timeout(seconds) as limit:
                connection = await self._connection(None if asked.invoked else FIRST_SECONDS)
                if asked.invoked:
                    # A model that is loaded on the way takes what it takes.
                    limit.reschedule(asyncio.get_running_loop().time() + seconds)
                found = await self._suggestions(asked, request, connection)
        except TimeoutError:
            if connection is None:
                reason = "the model is not ready yet"
                self._hold.loading(reason, time.monotonic(), self._settings())
                return Nothing(reason)
            return Nothing(f"the suggestion was not whole within {seconds:g} seconds")
        except AssistantError as error:
            if isinstance(error, DaemonProblem):
                await self._server.engine.forget()
            return Nothing(self._hold.failed(error, time.monotonic(), self._settings()))
        self._hold.worked()
        if not isinstance(found, Nothing) or not found.passing:
            self._remembered.put(asked.uri, asked.place, found, whole=asked.invoked)
        return found

    async def _suggestions(self, asked: Asked, request: Request, connection: Connection) -> Found:
        if asked.invoked:
            manner = Manner(hasty=True)
            outcomes = await several(
                asked.place, connection, request, manner=manner, within=INVOKED_SECONDS - 1
            )
            return different(outcomes)
        started = time.monotonic()
        manner = Manner(client="editor", hasty=True, first_within=FIRST_SECONDS)
        outcome = await suggest(asked.place, connection, request, manner=manner)
        self._pace.answered(time.monotonic() - started)
        return outcome.found if isinstance(outcome.found, Nothing) else (outcome.found,)

    async def _connection(self, seconds: float | None) -> Connection:
        """The engine's connection; opening it goes on when nobody waits for it any more."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._server.engine.connection())
            self._opening.add_done_callback(_look_at)
        async with asyncio.timeout(seconds):
            return await asyncio.shield(self._opening)

    def _look_ahead(self, shown: Shown) -> None:
        opened = self._opening
        if opened is None or not opened.done() or opened.cancelled() or opened.exception():
            return
        self._ahead.start(opened.result(), shown.uri, shown.place, shown.suggestion)

    @contextlib.contextmanager
    def _newest(self, uri: str, kind: str) -> Iterator[None]:
        """End the older request of the same document: its person has typed on."""
        older, current = self._running.get((uri, kind)), asyncio.current_task()
        assert current is not None
        if older is not None:
            older.cancel()
        self._running[uri, kind] = current
        try:
            yield
        finally:
            if self._running.get((uri, kind)) is current:
                del self._running[uri, kind]

    def _settings(self) -> object:
        return dict(self._server.engine.flags)

    def _listen(self, happened: Happened, document: Document) -> None:
        if happened is Happened.CHANGED and document.changes:
            change = document.changes[-1]
            text = document.text.value[change.start : change.start + change.length]
            self._pace.typed(time.monotonic(), text)
        elif happened is Happened.CLOSED:
            for kind in ("inline", "list"):
                if (task := self._running.get((document.uri, kind))) is not None:
                    task.cancel()


def _fitting(asked: Asked, found: Sequence[Suggestion]) -> Found:
    kept = tuple(one for one in found if fits(asked, one))
    return kept or Nothing("the suggestion does not go on behind the marked entry")


def _look_at(task: asyncio.Task[Any]) -> None:
    """An exception that nobody waited for is no news: the next request meets it again."""
    if not task.cancelled():
        task.exception()
