"""From a request for completions to items: remembered, or asked of a model at the right moment.

Nothing that goes wrong here becomes an error in the editor: it shows nothing, and the reason is
noted. Of one document only the newest request is answered; the older ones end as cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.client.types import Inline
from assistant.errors import AssistantError, DaemonProblem, ModelProblem
from assistant.inline import Manner, Nothing, Suggestion, request_for, suggest
from assistant.inline.pacing import Pace
from assistant.inline.remembered import Remembered
from assistant.inline.several import different, several
from assistant.inline.suggest import REPLACED
from lsp.documents import Document, Happened
from lsp.engine import Happened as Connected
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

OPENING_SECONDS = 30.0
"""Until there is an engine with its model. Whoever types on cancels the request; who waits at the
end of a first line would see nothing until the next key."""
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
        self._client = uuid.uuid4().hex
        """Who asks: the same file may be open in another window, which has a server of its own."""
        self._names = Names()
        self._remembered = Remembered()
        self._pace = Pace()
        self._hold = Hold()
        self._log = Log()
        self._ahead = Ahead(self._remembered)
        self._running: dict[tuple[str, str], asyncio.Task[Any]] = {}
        server.documents.listen(self._changed)
        server.engine.listen(self._connected)
        server.status.figures = self.figures

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
        """Another model may answer from now on: forget what the old one said."""
        self._hold.reopened()
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
        shown = await self._shown(asked)
        # An empty list where there is none: at null Neovim goes on showing the older suggestion.
        return [inline_item(asked, one, documents) for one in shown]

    async def list_items(self, params: types.CompletionParams) -> types.CompletionList | None:
        """Answer `textDocument/completion`."""
        documents = self._server.documents
        document = documents.seen(params.text_document.uri)
        if document is None or not self._server.features.completion:
            return None
        place = place_at(document, documents.offset(document, params.position), self._names)
        asked = Asked(document, place, invoked=False, kind="list")
        shown = await self._shown(asked)
        # What is typed on may be the beginning of something else: ask again.
        items = [list_item(asked, one, documents) for one in shown]
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

    async def _shown(self, asked: Asked) -> list[Shown]:
        """The suggestions for a request, noted as shown; or none, and the reason noted."""
        self._log.figures.requests += 1
        with self._newest(asked.uri, asked.kind):
            found = await self._found(asked)
        if isinstance(found, Nothing):
            if found.reason != REPLACED:
                self._server.reasons.note(asked.uri, asked.line, found.reason)
            return []
        shown = [self._log.show(asked.uri, asked.place, one) for one in found]
        self._log.figures.shown += bool(shown)
        if shown:
            self._look_ahead(shown[0])
        return shown

    async def _found(self, asked: Asked) -> Found:
        remembered = self._from_memory(asked)
        if remembered is not None:
            self._log.figures.remembered += not isinstance(remembered, Nothing)
            return remembered
        if reason := self._refusal(asked):
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

    def _refusal(self, asked: Asked) -> str:
        """Why no model is to be asked."""
        if refusal := self._server.context.refusal(asked.document):
            return f"the file {refusal}"
        if asked.invoked:
            return ""  # who presses a key for it wants it tried
        if asked.kind == "list":
            return self._hold.why(time.monotonic(), self._settings())
        return self.off_reason()

    async def _asked(self, asked: Asked, request: Request) -> Found:
        """Ask a model, within the time that a person looks for it."""
        self._ahead.stop()
        self._log.figures.asked += 1
        try:
            with self._server.status.working("Completing", inline=True):
                found = await self._tried(asked, request)
        except AssistantError as error:
            return Nothing(self._hold.failed(error, time.monotonic(), self._settings()))
        if not isinstance(found, Nothing) or not found.passing:
            self._remembered.put(asked.uri, asked.place, found, whole=asked.invoked)
        return found

    async def _tried(self, asked: Asked, request: Request) -> Found:
        """The same once more where the daemon died: another one is started, and nobody notices.

        Raises:
            AssistantError: the engine failed.
        """
        try:
            return await self._in_time(asked, request)
        except DaemonProblem:
            if self._hold.has_failed:
                raise
        return await self._in_time(asked, request)

    async def _in_time(self, asked: Asked, request: Request) -> Found:
        """The suggestions, or that they did not come in time, or that no model is able.

        Raises:
            AssistantError: the engine failed.
        """
        try:
            async with asyncio.timeout(None if asked.invoked else OPENING_SECONDS):
                connection = await self._server.engine.connection()
                able = await self._able()
        except TimeoutError:
            return self._unable(Inline(reason="the model is not ready yet", soon=True))
        if able.reason:
            return self._unable(able)
        seconds = INVOKED_SECONDS if asked.invoked else WHOLE_SECONDS
        try:
            async with asyncio.timeout(seconds):
                found = await self._suggestions(asked, request, connection)
        except TimeoutError:
            return Nothing(f"the suggestion was not whole within {seconds:g} seconds", passing=True)
        except DaemonProblem:
            await self._server.engine.forget(connection)
            raise
        except ModelProblem:
            # Not a failure: it generates, and something else completes or nobody does.
            told = await self._server.engine.inline()
            if not told.reason:
                raise
            return self._unable(told)
        self._hold.worked()
        return found

    async def _able(self) -> Inline:
        """Who completes. Our daemon says so when it is asked to, an endpoint only fails."""
        engine = self._server.engine
        return Inline() if engine.is_local else await engine.inline()

    def _unable(self, told: Inline) -> Nothing:
        reason = told.reason.partition("\n")[0].rstrip(".")
        self._hold.unable(reason, time.monotonic(), self._settings(), soon=told.soon)
        return Nothing(reason, passing=True)

    async def _suggestions(self, asked: Asked, request: Request, connection: Connection) -> Found:
        if asked.invoked:
            manner = Manner(hasty=True)
            outcomes = await several(
                asked.place, connection, request, manner=manner, within=INVOKED_SECONDS - 1
            )
            return different(outcomes)
        started = time.monotonic()
        client = f"{self._client} {asked.kind} {hash(asked.uri)}"
        manner = Manner(client=client, hasty=True, first_within=FIRST_SECONDS)
        outcome = await suggest(asked.place, connection, request, manner=manner)
        self._pace.answered(time.monotonic() - started)
        return outcome.found if isinstance(outcome.found, Nothing) else (outcome.found,)

    def _look_ahead(self, shown: Shown) -> None:
        connection = self._server.engine.open_one()
        if connection is not None:
            self._ahead.start(connection, shown.uri, shown.place, shown.suggestion)

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
        return self._server.engine.settings_state()

    def _connected(self, happened: Connected, _: AssistantError | None) -> None:
        if happened is Connected.OPENED:
            self.reset()

    def _changed(self, happened: Happened, document: Document) -> None:
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
    # What comes by itself is one; others were found when somebody asked by a key.
    nothing = Nothing("the suggestion does not go on behind the marked entry")
    return kept[: None if asked.invoked else 1] or nothing
