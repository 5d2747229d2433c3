"""Snapshots, versions and following a range through later edits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from lsp.documents import REMEMBERED_CHANGES, Document, Documents

URI = "file:///a.py"


def opened(value: str) -> Documents:
    documents = Documents("utf-32")
    documents.open(types.TextDocumentItem(URI, "python", 1, value))
    return documents


def current(documents: Documents) -> Document:
    document = documents.get(URI)
    assert document is not None
    return document


def replace(documents: Documents, version: int, start: int, end: int, new: str) -> None:
    span = documents.range(current(documents), start, end)
    change = types.TextDocumentContentChangePartial(span, new)
    assert documents.change(types.VersionedTextDocumentIdentifier(version, URI), [change])


def test_a_snapshot_does_not_change() -> None:
    documents = opened("one")
    before = current(documents)

    replace(documents, 2, 0, 3, "two")

    assert (before.version, before.text.value) == (1, "one")
    assert (current(documents).version, current(documents).text.value) == (2, "two")


def test_a_change_of_a_document_that_is_not_open_is_reported_not_raised() -> None:
    documents = Documents()
    identifier = types.VersionedTextDocumentIdentifier(2, URI)

    assert not documents.change(identifier, [types.TextDocumentContentChangeWholeDocument("x")])


def test_a_language_that_is_no_text_is_none() -> None:
    """The protocol library lets `null` and numbers through."""
    documents = Documents()
    documents.open(types.TextDocumentItem(URI, 7, 1, "x"))  # type: ignore[arg-type]

    assert current(documents).language == ""


def test_a_reversed_range_is_read_the_other_way_round() -> None:
    documents = opened("abcdef")
    span = types.Range(types.Position(0, 4), types.Position(0, 1))
    change = types.TextDocumentContentChangePartial(span, "-")

    documents.change(types.VersionedTextDocumentIdentifier(2, URI), [change])

    assert current(documents).text.value == "a-ef"


def test_half_of_an_emoji_is_replaced_as_an_editor_of_16_bit_units_means_it() -> None:
    """Its neighbour differs in the second half only, and that is all that a diff of units has."""
    documents = Documents("utf-16")
    documents.open(types.TextDocumentItem(URI, "python", 1, "x😀y"))
    span = types.Range(types.Position(0, 2), types.Position(0, 3))
    change = types.TextDocumentContentChangePartial(span, "\ude01")

    documents.change(types.VersionedTextDocumentIdentifier(2, URI), [change])

    assert current(documents).text.value == "x😁y"


def test_halves_that_meet_are_a_character_in_16_bit_units_only() -> None:
    for encoding, expected in (("utf-16", "😀"), ("utf-8", "\ud83d\ude00"), ("utf-32", None)):
        documents = Documents(encoding)
        documents.open(types.TextDocumentItem(URI, "python", 1, "\ud83d-\ude00"))
        place = 3 if encoding == "utf-8" else 1
        span = types.Range(types.Position(0, place), types.Position(0, place + 1))
        change = types.TextDocumentContentChangePartial(span, "")
        documents.change(types.VersionedTextDocumentIdentifier(2, URI), [change])
        assert current(documents).text.value == (expected or "\ud83d\ude00")


def test_a_cursor_on_each_line_types_a_letter() -> None:
    """Editors send such changes from the last to the first; each is in the text before it."""
    documents = opened("one\n" * 1000)
    ends = [types.Position(line, 3) for line in reversed(range(1000))]
    changes = [types.TextDocumentContentChangePartial(types.Range(at, at), "!") for at in ends]

    documents.change(types.VersionedTextDocumentIdentifier(2, URI), changes)

    assert current(documents).text.value == "one!\n" * 1000
    assert current(documents).followed(1, 4, 7) == (5, 8)


def test_a_range_follows_edits_around_it() -> None:
    documents = opened("head [body] tail")

    replace(documents, 2, 0, 4, "longer head")
    replace(documents, 3, 20, 23, "")
    start, end = current(documents).followed(1, 5, 11) or (0, 0)

    assert current(documents).text.value[start:end] == "[body]"


def test_a_whole_text_change_touches_only_what_differs() -> None:
    """Editors that send full texts must not lose every range in them."""
    documents = opened("head [body] tail")
    whole = types.TextDocumentContentChangeWholeDocument("HEAD, [body] tail")

    documents.change(types.VersionedTextDocumentIdentifier(2, URI), [whole])
    start, end = current(documents).followed(1, 5, 11) or (0, 0)

    assert current(documents).text.value[start:end] == "[body]"


def test_text_inserted_at_a_border_is_outside() -> None:
    documents = opened("head [body] tail")

    replace(documents, 2, 11, 11, "!")
    replace(documents, 3, 5, 5, "?")

    assert current(documents).text.value == "head ?[body]! tail"
    assert current(documents).followed(1, 5, 11) == (6, 12)


def test_a_touched_range_is_gone() -> None:
    documents = opened("head [body] tail")

    replace(documents, 2, 8, 8, "!")

    assert current(documents).followed(1, 5, 11) is None


def test_a_version_beyond_the_memory_is_not_followed() -> None:
    documents = opened("x")
    for version in range(2, REMEMBERED_CHANGES + 3):
        replace(documents, version, 0, 1, "x")

    assert current(documents).followed(1, 1, 1) is None
    assert current(documents).followed(2, 1, 1) is None
    assert current(documents).followed(3, 1, 1) == (1, 1)


def test_a_reopened_document_is_another_story() -> None:
    documents = opened("one")
    before = current(documents)

    documents.close(URI)
    documents.open(types.TextDocumentItem(URI, "python", 5, "one"))

    assert not current(documents).descends_from(before)
    assert current(documents).descends_from(current(documents))


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_what_is_followed_is_never_altered(data: st.DataObject) -> None:
    """A range that is followed holds the same characters as before, whatever was edited."""
    value = data.draw(st.text("abc\n", min_size=1, max_size=20))
    documents = opened(value)
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, len(value)))
    for version in range(2, data.draw(st.integers(2, 6))):
        length = len(current(documents).text.value)
        first = data.draw(st.integers(0, length))
        last = data.draw(st.integers(first, length))
        replace(documents, version, first, last, data.draw(st.text("xyz\n", max_size=5)))

    span = current(documents).followed(1, start, end)

    if span is not None:
        assert current(documents).text.value[span[0] : span[1]] == value[start:end]
