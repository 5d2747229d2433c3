"""Where models lie that somebody downloaded: the hub's cache, LM Studio's and llama.cpp's.

Programs for models share these folders, so what one of them has fetched the others need not. Only
the hub's cache is written to (`assistant.models.download`); everything else is read.

With `ASSISTANT_HOME` set the folders that no variable names are left alone: that home is complete
in itself.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant import locations
from assistant.errors import ModelProblem
from assistant.models import names
from assistant.models.names import Reference

_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDER = re.compile(r"models--(.+?)--(.+)")
_OLLAMA = re.compile(r"sha256-[0-9a-f]{64}")


class Place(enum.Enum):
    """Whose folder a model lies in."""

    PACKAGE = "embedded"
    FOLDER = "models folder"
    HUB = "Hugging Face cache"
    LM_STUDIO = "LM Studio"
    LLAMA_CPP = "llama.cpp"
    ELSEWHERE = "a path of yours"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files of one repository in one place, as the repository names them."""

    place: Place
    repository: str
    files: dict[str, Path]

    def find(self, wanted: Reference) -> Path | None:
        """The first file of the model that `wanted` means, when all of its files are here."""
        try:
            return self.files[names.choose(self.files, wanted)[0]]
        except ModelProblem:
            return None


def shelves(repository: str = "") -> Iterator[Shelf]:
    """What there is of one repository, or of all: the best copy first."""
    for root in hub_roots():
        yield from _hub_shelves(root, repository)
    if (studio := lm_studio_folder()) is not None:
        yield from _lm_studio_shelves(studio, repository)
    if repository:
        yield from _llama_shelf(repository)


def find(wanted: Reference) -> tuple[Shelf, Path] | None:
    """The model that `wanted` means, wherever it lies; None when it is nowhere."""
    for shelf in shelves(wanted.repository):
        if (path := shelf.find(wanted)) is not None:
            return shelf, path
    return None


def hub_roots() -> list[Path]:
    """The hub's cache, and the one that llama.cpp was told to use in its place."""
    roots = [locations.hub_cache_dir()]
    llama = locations.named_folder("LLAMA_CACHE")
    if llama is not None and llama not in roots:
        roots.append(llama)
    return roots


def repository_folder(root: Path, repository: str) -> Path:
    """The folder of a repository in a cache of the hub's layout."""
    return root / ("models--" + repository.replace("/", "--"))


def commits(folder: Path) -> list[str]:
    """The commits of a repository that are here: the one of `main`, of other names, the newest."""
    snapshots = folder / "snapshots"
    try:
        here = [one for one in snapshots.iterdir() if _COMMIT.fullmatch(one.name)]
        here.sort(key=lambda one: one.stat().st_mtime_ns, reverse=True)
    except OSError:
        return []
    named = [_first_line(folder / "refs" / "main")]
    named += [_first_line(ref) for ref in sorted((folder / "refs").glob("*")) if ref.is_file()]
    known = [one.name for one in here]
    return list(dict.fromkeys([*(name for name in named if name in known), *known]))


def _first_line(path: Path) -> str:
    try:
        return path.read_text("ascii")[:64].strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _hub_shelves(root: Path, repository: str) -> Iterator[Shelf]:
    folders = (
        [repository_folder(root, repository)] if repository else sorted(root.glob("models--*"))
    )
    for folder in folders:
        found = _FOLDER.fullmatch(folder.name)
        for commit in commits(folder) if found else ():
            files = _files_below(folder / "snapshots" / commit)
            if files and found:
                yield Shelf(Place.HUB, f"{found[1]}/{found[2]}", files)


def _files_below(folder: Path) -> dict[str, Path]:
    """The .gguf files below a folder; a link whose file is gone is none."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*" + names.SUFFIX))
        if path.is_file()
    }


def lm_studio_folder() -> Path | None:
    """Where LM Studio keeps its models, as its own files say."""
    if locations.home() is not None and locations.named_folder("LMSTUDIO_HOME") is None:
        return None
    base = locations.named_folder("LMSTUDIO_HOME")
    if base is None:
        told = _first_line(Path("~/.lmstudio-home-pointer").expanduser())
        base = Path(told or "~/.lmstudio").expanduser()
    try:
        chosen = json.loads((base / "settings.json").read_text("utf-8")).get("downloadsFolder")
    except (OSError, ValueError, AttributeError):
        chosen = None
    folder = Path(chosen).expanduser() if isinstance(chosen, str) and chosen else base / "models"
    return folder if folder.is_dir() else None


def _lm_studio_shelves(root: Path, repository: str) -> Iterator[Shelf]:
    folders = [root / repository] if repository else sorted(root.glob("*/*"))
    for folder in folders:
        if folder.is_dir() and (files := _files_below(folder)):
            name = folder.relative_to(root).as_posix()
            yield Shelf(Place.LM_STUDIO, name, files)


def llama_folder() -> Path | None:
    """llama.cpp's own cache of old, a flat folder."""
    folder = locations.named_folder("LLAMA_CACHE")
    if folder is None and locations.home() is None:
        caches = locations.named_folder("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        folder = caches / "llama.cpp"
    return folder if folder is not None and folder.is_dir() else None


def _llama_shelf(repository: str) -> Iterator[Shelf]:
    """Its file names begin with the repository's, `/` written as `_`."""
    root = llama_folder()
    if root is None:
        return
    prefix = repository.replace("/", "_") + "_"
    found = sorted(path for path in root.glob("*" + names.SUFFIX) if path.is_file())
    files = {path.name[len(prefix) :]: path for path in found if path.name.startswith(prefix)}
    if files:
        yield Shelf(Place.LLAMA_CPP, repository, files)


def loose_llama_files() -> list[Path]:
    """The models in llama.cpp's flat cache; which repository they are from, their names blur."""
    root = llama_folder()
    found = sorted(root.glob("*" + names.SUFFIX)) if root is not None else []
    return [path for path in found if path.is_file() and names.is_first_of_model(path.name)]


def place_of(path: Path) -> Place:
    """Whose folder `path` lies in."""
    studio, llama = lm_studio_folder(), llama_folder()
    if any(path.is_relative_to(root) for root in hub_roots() if path.parent != root):
        return Place.HUB
    if studio is not None and path.is_relative_to(studio):
        return Place.LM_STUDIO
    if llama is not None and path.is_relative_to(llama):
        return Place.LLAMA_CPP
    return Place.FOLDER if path.is_relative_to(locations.models_dir()) else Place.ELSEWHERE


def is_ollama_blob(path: Path) -> bool:
    """Whether `path` is one of Ollama's files: GGUF, but some are written for its own engine."""
    return path.parent.name == "blobs" and bool(_OLLAMA.fullmatch(path.name))
