"""The open documents: immutable snapshots with a version, and what changed between versions.

The protocol layer replaces a document's snapshot on each `didChange`; whoever holds an older one
keeps reading exactly what it was given. pygls's own `Workspace` is not used for text: its lines
split at form feeds and U+2028, and a position past the last line lands one character short.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace

from lsprotocol import types

from lsp.changes import Edit, applied, whole
from lsp.text import Encoding, Place, Text

REMEMBERED_CHANGES = 2000
"""How many edits back a range can be followed; a generation rarely sees more than a hundred."""

KEPT_SNAPSHOTS = 16
"""Versions that an offer may still come back for, over all documents."""


@dataclass(frozen=True, slots=True)
class Change:
    """One edit, in offsets of the text before it: `[start, end)` became `length` characters."""

    version: int
    start: int
    end: int
    length: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was at one version."""

    uri: str
    language: str
    version: int
    text: Text
    changes: tuple[Change, ...] = ()
    """The latest edits, oldest first; each carries the version that it led to."""
    opening: int = 0
    """Counts openings, so that versions before and after a reload are never taken as one story."""

    def changed(self, version: int, edits: Sequence[Edit]) -> Document:
        """The document after the edits of one `didChange`, each applied to the result before."""
        text, made = applied(self.text, edits)
        log = *self.changes, *(Change(version, one.start, one.end, len(one.new)) for one in made)
        return replace(self, version=version, text=text, changes=log[-REMEMBERED_CHANGES:])

    def descends_from(self, older: Document) -> bool:
        """True when this is a later snapshot (or the same) of the same opening of a document."""
        return self.opening == older.opening and self.version >= older.version

    def followed(self, version: int, start: int, end: int) -> tuple[int, int] | None:
        """Where `[start, end)` of an older version is now; None when it was touched or is too old.

        Text inserted exactly at either border does not touch the range.
        """
        if version > self.version or self._forgot(version):
            return None
        for change in self._since(version):
            if change.end <= start:
                shift = change.length - (change.end - change.start)
                start, end = start + shift, end + shift
            elif change.start < end:
                return None
        return start, end

    def _since(self, version: int) -> Iterator[Change]:
        return itertools.dropwhile(lambda change: change.version <= version, self.changes)

    def _forgot(self, version: int) -> bool:
        full = len(self.changes) == REMEMBERED_CHANGES
        return full and version < self.changes[0].version


class Happened(enum.Enum):
    """What a listener is told."""

    OPENED = "opened"
    CHANGED = "changed"
    SAVED = "saved"
    CLOSED = "closed"


Listener = Callable[[Happened, Document], None]

_at_receipt: ContextVar[Mapping[str, Document]] = ContextVar("documents at receipt")


class Documents:
    """The documents that the editor has open, by uri."""

    def __init__(self, encoding: Encoding = "utf-16") -> None:
        self.encoding = encoding
        self._open: dict[str, Document] = {}
        self._kept: OrderedDict[tuple[str, int], Document] = OrderedDict()
        self._openings = itertools.count(1)
        self._next_change: asyncio.Future[None] | None = None
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have `listener` called after each event, with the newest (or last) snapshot."""
        self._listeners.append(listener)

    def freeze(self) -> None:
        """In the present context `seen` means the documents as they are now.

        Called when a message comes in: its handler may run after the next change has.
        """
        _at_receipt.set(dict(self._open))

    def seen(self, uri: str) -> Document | None:
        """The snapshot that stood when the request in work was received; None: not open then."""
        return _at_receipt.get(self._open).get(uri)

    def open_ones(self) -> tuple[Document, ...]:
        """The newest snapshots of all documents."""
        return tuple(self._open.values())

    def get(self, uri: str) -> Document | None:
        """The newest snapshot, or None when the document is not open."""
        return self._open.get(uri)

    def keep(self, document: Document) -> None:
        """Remember a snapshot that something was offered for."""
        self._kept[document.uri, document.version] = document
        self._kept.move_to_end((document.uri, document.version))
        while len(self._kept) > KEPT_SNAPSHOTS:
            self._kept.popitem(last=False)

    def at(self, uri: str, version: int) -> Document | None:
        """The snapshot of a version: the newest, or one that was kept."""
        newest = self.get(uri)
        if newest is not None and newest.version == version:
            return newest
        return self._kept.get((uri, version))

    def open(self, item: types.TextDocumentItem) -> None:
        """Take over a document's text from the editor."""
        self._open[item.uri] = Document(
            uri=item.uri,
            # The library lets other things through, which nobody expects.
            language=item.language_id if isinstance(item.language_id, str) else "",
            version=item.version,
            text=Text(whole(item.text, self.encoding)),
            opening=next(self._openings),
        )
        self._tell(Happened.OPENED, self._open[item.uri])

    def close(self, uri: str) -> None:
        """Forget a document."""
        last = self._open.pop(uri, None)
        if last is not None:
            self._tell(Happened.CLOSED, last)

    def saved(self, uri: str) -> None:
        """The editor has written a document to its file."""
        if (document := self._open.get(uri)) is not None:
            self._tell(Happened.SAVED, document)

    def _tell(self, what: Happened, document: Document) -> None:
        for listener in self._listeners:
            listener(what, document)

    def change(
        self,
        identifier: types.VersionedTextDocumentIdentifier,
        changes: Iterable[types.TextDocumentContentChangeEvent],
    ) -> bool:
        """Apply one `didChange`; False when the document is not open."""
        document = self._open.get(identifier.uri)
        if document is None:
            return False
        edits = [self._edit(change) for change in changes]
        self._open[identifier.uri] = document.changed(identifier.version, edits)
        if self._next_change is not None:
            self._next_change.set_result(None)
            self._next_change = None
        self._tell(Happened.CHANGED, self._open[identifier.uri])
        return True

    async def newer(self, document: Document, seconds: float) -> Document | None:
        """The snapshot after `document`, waited for; None when none comes or it is closed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            newest = self._open.get(document.uri)
            if newest is None or newest.version != document.version:
                return newest
            changed = self._next_change = self._next_change or loop.create_future()
            done, _ = await asyncio.wait([changed], timeout=max(0.0, deadline - loop.time()))
            if not done:
                return None

    def place(self, position: types.Position) -> Place:
        """A protocol position as a `Place` in this session's encoding."""
        return Place(position.line, position.character)

    def offset(self, document: Document, position: types.Position) -> int:
        """The offset of a protocol position."""
        return document.text.offset(self.place(position), self.encoding)

    def range(self, document: Document, start: int, end: int) -> types.Range:
        """A range of offsets as the protocol writes it."""
        return types.Range(
            types.Position(*document.text.place(start, self.encoding)),
            types.Position(*document.text.place(end, self.encoding)),
        )

    def _edit(self, change: types.TextDocumentContentChangeEvent) -> Edit:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = self.place(change.range.start), self.place(change.range.end)
            return Edit(change.text, start, end, self.encoding)
        return Edit(change.text, None, None, self.encoding)
