"""Suggestions as the protocol writes them: always with a range, and that on one line."""

from __future__ import annotations

from lsprotocol import types

from assistant.inline import Suggestion
from lsp.documents import Documents
from lsp.inline.figures import Shown
from lsp.inline.names import ACCEPTED
from lsp.inline.places import Asked

_DETAIL = "assistant"


def inline_item(asked: Asked, shown: Shown, documents: Documents) -> types.InlineCompletionItem:
    """An item of `textDocument/inlineCompletion`."""
    start, end, text = _edit(asked, shown.suggestion)
    return types.InlineCompletionItem(
        insert_text=text,
        range=documents.range(asked.document, start, end),
        command=_accepted(shown),
    )


def list_item(asked: Asked, shown: Shown, documents: Documents) -> types.CompletionItem:
    """An item of `textDocument/completion`.

    Editors keep only items that begin with the word at the cursor: the range begins with the word,
    and the text with it.
    """
    start, end, text = _edit(asked, shown.suggestion)
    value = asked.document.text.value
    word = _word_start(value, start, asked.place.line_start)
    text = value[word:start] + text
    first, _, more = text.partition("\n")
    label = first.strip() + (" ..." if more else "")
    language = asked.document.language
    return types.CompletionItem(
        label=label,
        kind=types.CompletionItemKind.Snippet if more else types.CompletionItemKind.Text,
        detail=_DETAIL,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, _fenced(text, language)),
        sort_text="\0",
        filter_text=text.partition("\n")[0],
        insert_text=text,
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=types.TextEdit(documents.range(asked.document, word, end), text),
        command=_accepted(shown),
    )


def fits(asked: Asked, suggestion: Suggestion) -> bool:
    """Whether a suggestion can be written as an item: with an entry picked it begins behind it."""
    return asked.picked is None or suggestion.start == asked.place.offset


def _edit(asked: Asked, suggestion: Suggestion) -> tuple[int, int, str]:
    """What is replaced in the document, and by what."""
    picked = asked.picked
    if picked is None:
        return suggestion.start, suggestion.end, suggestion.text
    beyond = suggestion.end - asked.place.offset
    return picked.start, picked.end + beyond, picked.text + suggestion.text


def _accepted(shown: Shown) -> types.Command:
    return types.Command("Accepted", ACCEPTED, arguments=[{"id": shown.id}])


def _word_start(text: str, start: int, line_start: int) -> int:
    while start > line_start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return start


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
