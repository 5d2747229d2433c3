"""Any edits in any encoding: the server's text is the editor's (promise 2).

The judge works on encoded units, see tests/support/unit_text.py. Positions lie past the ends of
lines and of the text, inside of characters and between `\\r` and `\\n`.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

import pytest
from lsprotocol import types

from lsp import changes, lines
from lsp.documents import Document, Documents
from lsp.text import ENCODINGS, Encoding, Place, Text
from tests.support.unit_text import UnitText

URI = "file:///a.py"
SEPARATORS = (
    "\n",
    "\r\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
)
CHARACTERS = (
    "a",
    "b",
    " ",
    "\t",
    "é",
    "e\u0301",
    "ß",
    "€",
    "😀",
    "🧑‍🚀",
    "\U0010ffff",
    "\uffff",
    "\0",
)
HALVES = ("\ud83d", "\ude00", "\ud800", "\udfff")
WEIGHTED = (*CHARACTERS, *SEPARATORS, *("\n", "\r\n", "\r") * 3, *HALVES)
EDITS = 100_000 if os.environ.get("ASSISTANT_SOAK") else 3_000


@dataclass
class Session:
    """A document on both sides of the wire."""

    editor: UnitText
    documents: Documents
    chance: random.Random
    version: int = 0

    @classmethod
    def opened(cls, value: str, encoding: Encoding, chance: random.Random) -> Session:
        documents = Documents(encoding)
        documents.open(types.TextDocumentItem(URI, "python", 0, value))
        return cls(UnitText.of(value, encoding), documents, chance)

    @property
    def document(self) -> Document:
        found = self.documents.get(URI)
        assert found is not None
        return found

    def change(self, count: int) -> None:
        """One `didChange` with some changes, on both sides."""
        self.version += 1
        self.documents.change(
            types.VersionedTextDocumentIdentifier(self.version, URI),
            [self._whole() if self.chance.random() < 0.05 else self._part() for _ in range(count)],
        )

    def type_everywhere(self) -> None:
        """One `didChange` as several cursors make it: many changes, the last in the text first."""
        self.version += 1
        places = sorted({self._place() for _ in range(2 * changes.FEW)}, reverse=True)
        made = [self._replaced(place, place, self.chance.choice(WEIGHTED)) for place in places]
        self.documents.change(types.VersionedTextDocumentIdentifier(self.version, URI), made)

    def _whole(self) -> types.TextDocumentContentChangeWholeDocument:
        before = self.editor.text()
        cut = self.chance.randrange(len(before) + 1)
        new = random_text(self.chance, 20)
        if self.chance.random() < 0.5:
            new = before[:cut] + new + before[cut:]
        self.editor.units = self.editor.encoded(new)
        return types.TextDocumentContentChangeWholeDocument(new)

    def _part(self) -> types.TextDocumentContentChangePartial:
        new = random_text(self.chance, self.chance.choice((0, 1, 1, 8)))
        start = self._place()
        near = (start[0] + self.chance.randrange(2), max(0, start[1] + self.chance.randint(-2, 2)))
        return self._replaced(start, near if self.chance.random() < 0.8 else self._place(), new)

    def _place(self) -> tuple[int, int]:
        rows = self.editor.lines()
        row = self.chance.randrange(len(rows) + 1)
        start, end = rows[min(row, len(rows) - 1)]
        return row, self.chance.randrange(end - start + 3)

    def _replaced(
        self, start: tuple[int, int], end: tuple[int, int], new: str
    ) -> types.TextDocumentContentChangePartial:
        self.editor.replace(start, end, new)
        span = types.Range(types.Position(*start), types.Position(*end))
        return types.TextDocumentContentChangePartial(span, new)


def random_text(chance: random.Random, most: int) -> str:
    return "".join(chance.choices(WEIGHTED, k=chance.randint(min(1, most), most)))


def assert_same(session: Session) -> None:
    """The same text, the same lines and the same places in them as a text that is read anew."""
    text = session.document.text
    assert text.value == session.editor.text()
    assert list(text.line_starts) == list(Text(text.value).line_starts)
    assert "".join(text.lines()) == text.value
    assert len(text.lines()) == len(text.line_starts)
    encoding = session.documents.encoding
    assert [session.editor.units[start:end] for start, end in session.editor.lines()] == [
        session.editor.encoded(text.line(row)) for row in range(len(text.line_starts))
    ]
    row, column = session.chance.choice(session.editor.begins())
    offset = text.offset(Place(row, column), encoding)
    assert text.place(offset, encoding) == Place(row, column)
    assert (
        session.editor.encoded(text.value[:offset])
        == (session.editor.units[: session.editor.index(row, column)])
    )


def assert_followed(before: Document, session: Session) -> None:
    """A range that was not touched holds what it held."""
    length = len(before.text.value)
    start, end = sorted((session.chance.randint(0, length), session.chance.randint(0, length)))
    found = session.document.followed(before.version, start, end)
    if found is not None:
        now = session.document.text.value
        assert now[found[0] : found[1]] == before.text.value[start:end]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("block", [2, lines.BLOCK])
def test_the_text_is_the_editors_after_any_edits(
    block: int, encoding: Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", block)
    monkeypatch.setattr(changes, "STRIDE", 3 * block)
    chance = random.Random(f"{block} {encoding}")
    edits = 0
    while edits < EDITS / 6:
        session = Session.opened(random_text(chance, chance.choice((60, 600))), encoding, chance)
        for _ in range(30):
            before = session.document
            if chance.random() < 0.05:
                session.type_everywhere()
            else:
                session.change(chance.choice((1, 1, 1, 2, 5)))
            edits += 1
            assert session.document.version == session.version
            assert_same(session)
            assert_followed(before, session)
