"""Where a document lies on disk, and the project around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from assistant.context.project import holds_home, root_of
from lsp.documents import Document
from lsp.generate.jobs import Surroundings

if TYPE_CHECKING:
    from lsp.server import AssistantServer


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
    try:
        if path is None or not path.is_absolute() or not path.parent.is_dir():
            return Surroundings()
        return Surroundings(path, project_of(path, _folders(server)))
    except OSError:  # a name that is too long for any file, say
        return Surroundings()


def _folders(server: AssistantServer) -> list[Path]:
    """The folders that are open in the editor."""
    found = [path_of(uri) for uri in server.workspace.folders]
    root = server.workspace.root_uri
    found.append(path_of(root) if root else None)
    return [one for one in found if one is not None]


def project_of(path: Path, folders: list[Path]) -> Path | None:
    """The project of a file: what looks like one, else the folder that is open in the editor."""
    if (root := root_of(path)) is not None:
        return root
    around = [one for one in folders if one in path.parents and not holds_home(one)]
    return max(around, key=lambda one: len(one.parts), default=None)
