"""Everything that helps with a place in a file, or that a request names."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from assistant.context.definitions import Spot, reachable
from assistant.context.ignoring import Access, has_secret_name
from assistant.context.mentions import find_mentions, for_mentions
from assistant.context.modules import Modules
from assistant.context.outline import outline
from assistant.context.project import root_of
from assistant.context.ring import LINES, Ring, lines_around
from assistant.context.types import Found, Offer

LATELY = "open or edited lately"
IMPORTS = "what its file imports"
NEAR = "around it"
_MOST_IMPORTS = 40


def for_request(text: str, folder: Path) -> Found:
    """What the mentions in a request name.

    Raises:
        RequestProblem: a file that is named is not there or may not be read.
    """
    mentions = find_mentions(text, folder)
    return for_mentions(mentions, folder) if mentions else Found()


class Workspace:
    """What is kept from one request to the next: outlines of files, ignore files, the ring.

    Its methods read files; any thread may call them.
    """

    def __init__(self) -> None:
        self.ring = Ring()
        self._projects: dict[Path, Modules] = {}
        self._lock = threading.Lock()

    def refusal(self, path: Path) -> str:
        """Why a file may not be read, be it from the disk or from an editor's buffer."""
        return self._project(path).access.refusal(path)

    def note(self, path: Path, text: str, offset: int) -> bool:
        """Remember a place where something happened; False when there is nothing new."""
        with self._lock:
            if self.refusal(path):
                return False
            return self.ring.add(path, lines_around(text, offset))

    def for_place(self, spot: Spot, buffers: Mapping[Path, str], *, own: bool = True) -> Found:
        """What helps to write at a place, the most important last.

        Args:
            spot: the place; its path is without symbolic links.
            buffers: the texts of the files that are open, by such paths.
            own: with parts of the place's own file; without, when it is sent anyway.
        """
        with self._lock:
            if has_secret_name(spot.path):
                return Found()
            modules = self._project(spot.path)
            modules.buffers = buffers
            chunks = tuple(self._chunks(spot))
            found = reachable(spot, modules) if spot.language == "python" else Found()
            name = modules.access.name_of(spot.path)
            offers = [one for one in found.offers if own or one.name != name]
            beside = tuple(_own(spot, name)) if own else ()
            return replace(found, offers=(*chunks, *offers, *beside))

    def _project(self, path: Path) -> Modules:
        root = root_of(path.parent) or Path(os.path.realpath(path.parent))
        if root not in self._projects:
            self._projects[root] = Modules(Access(root))
        return self._projects[root]

    def _chunks(self, spot: Spot) -> Iterator[Offer]:
        near = lines_around(spot.text, spot.start)
        for chunk in self.ring.beside(near):
            # It may have come under a rule since.
            if chunk.path != spot.path and not self.refusal(chunk.path):
                name = self._project(chunk.path).access.name_of(chunk.path)
                yield Offer(name, LATELY, (chunk.text,))


def _own(spot: Spot, name: str) -> Iterator[Offer]:
    """Of the place's own file, whose text is no part of the request beyond the place."""
    if spot.language == "python":
        statements = dict.fromkeys(one.text for one in outline(spot.text).imports)
        if statements:
            yield Offer(name, IMPORTS, ("\n".join(list(statements)[:_MOST_IMPORTS]),))
        return
    above = lines_around(spot.text[: spot.start].rstrip(), spot.start, LINES // 2)
    below = lines_around(spot.text[spot.end :].lstrip("\n"), 0, LINES // 2)
    if near := "\n...\n".join(part for part in (above, below) if part.strip()):
        yield Offer(name, NEAR, (near,))
