"""The text model against a model that works on the encoded bytes, as an editor would."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from lsp.documents import Documents
from lsp.text import ENCODINGS, Encoding, Place, Text, units

# What breaks line models and column counts: every separator that Python splits at and the protocol
# does not, both line ending characters alone and together, and 1 to 4 byte characters.
ALPHABET = "ab\n\r\t\x0b\x0c\x1c\x1e\x85\u2028\u2029é€😀🧑‍🚀"
CODEC = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}

texts = st.lists(st.sampled_from([*ALPHABET, "\r\n"]), max_size=30).map("".join)


def split_lines(value: str) -> list[str]:
    """Lines with their endings, found character by character."""
    lines, current, index = [], "", 0
    while index < len(value):
        ending = "\r\n" if value.startswith("\r\n", index) else value[index]
        index += len(ending)
        current += ending
        if ending in ("\r\n", "\n", "\r"):
            lines.append(current)
            current = ""
    return [*lines, current]


class ReferenceEditor:
    """An editor's side of a document: lines, columns by encoding and slicing bytes."""

    def __init__(self, value: str, encoding: Encoding) -> None:
        self.value = value
        self.codec, self.width = CODEC[encoding]

    def places(self) -> list[tuple[int, types.Position]]:
        """Every offset that a cursor can stand at, with its position."""
        found, offset = [], 0
        for number, line in enumerate(split_lines(self.value)):
            content = line.rstrip("\r\n")
            for index in range(len(content) + 1):
                column = len(content[:index].encode(self.codec)) // self.width
                found.append((offset + index, types.Position(number, column)))
            offset += len(line)
        return found

    def edit(self, start: types.Position, end: types.Position, new: str) -> None:
        """Replace a range, by cutting the encoded lines."""
        lines = split_lines(self.value)
        head = "".join(lines[: start.line]) + self._cut(lines[start.line], 0, start.character)
        tail = self._cut(lines[end.line], end.character, None) + "".join(lines[end.line + 1 :])
        self.value = head + new + tail

    def _cut(self, line: str, first: int, last: int | None) -> str:
        data = line.encode(self.codec)
        stop = None if last is None else last * self.width
        return data[first * self.width : stop].decode(self.codec)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_text_equals_the_editors_after_any_edits(encoding: Encoding, data: st.DataObject) -> None:
    """After any legal edit sequence both sides hold the same text (contract, promise 2)."""
    editor = ReferenceEditor(data.draw(texts), encoding)
    documents = Documents(encoding)
    documents.open(types.TextDocumentItem("file:///a.py", "python", 0, editor.value))

    for version in range(1, data.draw(st.integers(1, 8)) + 1):
        changes = []
        for _ in range(data.draw(st.integers(1, 3))):
            new = data.draw(texts)
            if data.draw(st.integers(0, 9)) == 0:
                editor.value = new
                changes.append(types.TextDocumentContentChangeWholeDocument(new))
                continue
            places = editor.places()
            first, second = (data.draw(st.integers(0, len(places) - 1)) for _ in range(2))
            (_, start), (_, end) = places[min(first, second)], places[max(first, second)]
            editor.edit(start, end, new)
            changes.append(types.TextDocumentContentChangePartial(types.Range(start, end), new))
        identifier = types.VersionedTextDocumentIdentifier(version, "file:///a.py")
        documents.change(identifier, changes)
        document = documents.get("file:///a.py")
        assert document is not None
        assert document.text.value == editor.value
        assert document.version == version


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(value=texts)
@settings(max_examples=150, deadline=None)
def test_positions_and_offsets_agree(encoding: Encoding, value: str) -> None:
    """Each place a cursor can stand at converts to its offset and back."""
    text = Text(value)

    for offset, position in ReferenceEditor(value, encoding).places():
        place = Place(position.line, position.character)
        assert text.offset(place, encoding) == offset
        assert text.place(offset, encoding) == place


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place(0, 99), 3),  # past the line: its end, before the line ending
        (Place(1, 99), 6),  # past the last line's end, where pygls lands one short
        (Place(9, 0), 6),  # past the last line
        (Place(-1, 5), 0),
    ],
)
def test_a_position_outside_the_text_means_the_nearest_inside(place: Place, expected: int) -> None:
    assert Text("abc\nde").offset(place, "utf-16") == expected


def test_a_position_inside_an_emoji_means_its_beginning() -> None:
    assert Text("a😀b").offset(Place(0, 2), "utf-16") == 1
    assert Text("a😀b").offset(Place(0, 4), "utf-8") == 1


def test_half_a_surrogate_pair_is_counted_and_does_not_raise() -> None:
    """JSON can carry one (`"\\ud83d"`); editors that think in UTF-16 do send it."""
    broken = "x\ud83dy"

    assert [units(broken, encoding) for encoding in ENCODINGS] == [5, 3, 3]
    assert Text(broken).offset(Place(0, 3), "utf-16") == 3


def test_line_end_is_that_of_the_first_line() -> None:
    assert Text("a\r\nb\n").line_end == "\r\n"
    assert Text("a\rb").line_end == "\r"
    assert Text("a").line_end == "\n"
