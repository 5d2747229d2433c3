"""What a request for completions means: a cursor in a file, and how much is asked for."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lsprotocol import types
from pygls.uris import to_fs_path

from assistant.inline import Place
from assistant.inline.naming import names_of
from lsp.documents import Document, Documents

_LANGUAGES = {
    "cpp": "c++",
    "csharp": "c#",
    "javascriptreact": "javascript",
    "typescriptreact": "typescript",
    "shellscript": "shell",
    "sh": "shell",
    "bash": "shell",
    "zsh": "shell",
    "plaintext": "text",
}
"""Editors' language ids whose languages have another name in the core."""
_NAMES_KEPT = 256


@dataclass(frozen=True, slots=True)
class Picked:
    """An entry that is marked in the editor's own list: the suggestion goes on behind its text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    document: Document
    place: Place
    """In the text with the picked entry in it, where there is one."""
    invoked: bool
    """Somebody pressed a key for it; otherwise it comes by itself while typing."""
    picked: Picked | None = None
    kind: Literal["inline", "list"] = "inline"
    """Ghost text, or an entry of the editor's own list; neither takes the other's place."""

    @property
    def uri(self) -> str:
        """Of the document."""
        return self.document.uri

    @property
    def line(self) -> int:
        """Of the cursor, from 0."""
        offset = self.picked.start if self.picked else self.place.offset
        return self.document.text.line_of(offset)


class Names:
    """The names of files in their repositories; looking for a repository reads folders."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def of(self, uri: str) -> tuple[str, str]:
        """The names of the repository and of the file in it."""
        if uri not in self._known:
            self._known[uri] = _names(uri)
            while len(self._known) > _NAMES_KEPT:
                self._known.popitem(last=False)
        return self._known[uri]


def place_at(document: Document, offset: int, names: Names) -> Place:
    """The cursor in a document."""
    repository, name = names.of(document.uri)
    language = document.language.lower()
    language = _LANGUAGES.get(language, language)
    return Place(document.text.value, offset, language, name, repository)


def asked_by(
    params: types.InlineCompletionParams, document: Document, documents: Documents, names: Names
) -> Asked:
    """What a request for inline completions means."""
    offset = documents.offset(document, params.position)
    invoked = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    place = place_at(document, offset, names)
    picked = _picked(params.context.selected_completion_info, document, documents, place)
    if picked is None:
        return Asked(document, place, invoked)
    text = document.text.value
    with_it = text[: picked.start] + picked.text + text[picked.end :]
    behind = Place(
        with_it,
        picked.start + len(picked.text),
        place.language,
        place.file_name,
        place.repository,
    )
    return Asked(document, behind, invoked, picked)


def _picked(
    info: types.SelectedCompletionInfo | None,
    document: Document,
    documents: Documents,
    place: Place,
) -> Picked | None:
    if info is None:
        return None
    start = documents.offset(document, info.range.start)
    end = documents.offset(document, info.range.end)
    around = place.line_start <= start <= place.offset <= end <= place.line_end
    return Picked(start, end, info.text) if around else None


def _names(uri: str) -> tuple[str, str]:
    try:
        path = to_fs_path(uri) if uri.startswith("file:") else None
        if path is not None:
            return names_of(Path(path))
    except (OSError, ValueError):
        pass
    return "", uri.rpartition("/")[2].rpartition(":")[2]
