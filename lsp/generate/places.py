"""Where a document lies on disk, and the project around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from lsp.documents import Document
from lsp.generate.checking import Surroundings

if TYPE_CHECKING:
    from lsp.server import AssistantServer

_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git", ".hg", ".jj")
_HIGHEST = 12


def path_of(uri: str) -> Path | None:
    """The file of a uri; None for what is no file."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    path = url2pathname(parts.path) if "%" in parts.path else unquote(parts.path)
    return Path(path) if "\0" not in path and path else None


def surroundings(server: AssistantServer, document: Document) -> Surroundings:
    """The document's file and its project, where they are there."""
    path = path_of(document.uri)
    if path is None or not path.is_absolute() or not path.parent.is_dir():
        return Surroundings()
    return Surroundings(path, project_of(path, _folders(server)))


def _folders(server: AssistantServer) -> list[Path]:
    """The folders that are open in the editor."""
    found = [path_of(uri) for uri in server.workspace.folders]
    root = server.workspace.root_uri
    found.append(path_of(root) if root else None)
    return [one for one in found if one is not None]


def project_of(path: Path, folders: list[Path]) -> Path | None:
    """The project of a file: the nearest folder with a mark of one, within the open folder."""
    around = [one for one in folders if one in path.parents]
    top = max(around, key=lambda one: len(one.parts), default=None)
    for folder in path.parents[:_HIGHEST]:
        if any((folder / mark).exists() for mark in _MARKS):
            return folder
        if folder == top:
            break
    return top
