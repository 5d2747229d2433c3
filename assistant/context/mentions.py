"""`@path` and `@path:function` in a request: files that the user wants to be sent along.

A mention has a space, a bracket or nothing in front of it, and names a file: one that is there, or
what looks like one by its suffix or its folder. So `@property` and `someone@example.org` are none,
and nothing between backticks is. `@"a name.py"` is for a name with spaces.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.context.definitions import Spot, reachable
from assistant.context.ignoring import A_FOLDER, NO_FILE, Access
from assistant.context.modules import Modules
from assistant.context.outline import Definition, outline
from assistant.context.project import root_of
from assistant.context.types import Found, LeftOut, Offer
from assistant.errors import RequestProblem

NAMED = "named in the request"
_MENTION = re.compile(
    r"""(?<![\w@./])@(?:"([^"\n]+)"|(~?[\w./\\+-]*[\w]))"""
    r"""(?::([^\W\d]\w*(?:\.[^\W\d]\w*)*))?"""
)
_IN_BACKTICKS = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_SUFFIXES = frozenset(
    {
        *("bash", "c", "cc", "cfg", "clj", "cpp", "cs", "css", "csv", "cxx", "dart", "env"),
        *("ex", "exs", "go", "h", "hpp", "hs", "html", "ini", "ipynb", "java", "jl", "js"),
        *("json", "jsx", "kt", "lua", "md", "mjs", "ml", "php", "pl", "py", "pyi", "pyw", "r"),
        *("rb", "rs", "rst", "scala", "sh", "sql", "svelte", "swift", "tex", "tf", "toml"),
        *("ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zig", "zsh"),
    }
)
_MOST_NAMES = 5_000
_NEAR, _CLOSE = 3, 0.75
"""Names that are told, and how much they have to resemble."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A file, or a function or class in it, that the request names."""

    written: str
    path: Path
    part: str = ""
    """`area` or `Shape.area`; empty: the whole file."""


def find_mentions(text: str, folder: Path) -> tuple[Mention, ...]:
    """The mentions in a request.

    Args:
        text: the request.
        folder: where the user is; paths are meant from there, or from the root of its project.

    Raises:
        RequestProblem: a file that is named is not there.
    """
    blank = _IN_BACKTICKS.sub(lambda found: " " * len(found.group()), text)
    found = (_mention(match, folder) for match in _MENTION.finditer(blank))
    return tuple(dict.fromkeys(one for one in found if one is not None))


def for_mentions(mentions: tuple[Mention, ...], folder: Path) -> Found:
    """What they name, the first mention last: it is the most important.

    Raises:
        RequestProblem: a file may not be read, or has no such function.
    """
    modules = Modules(Access(root_of(folder) or folder))
    named: list[Offer] = []
    reached: list[Offer] = []
    left_out: list[LeftOut] = []
    for mention in reversed(mentions):
        text = modules.access.read(mention.path)
        if isinstance(text, LeftOut):
            raise _refused(mention, text)
        name = modules.access.name_of(mention.path)
        if not mention.part:
            named.append(Offer(name, NAMED, _whole(mention.path, text)))
            continue
        one = _defined(mention, text)
        body = text[one.start : one.end]
        named.append(Offer(name, NAMED, tuple(dict.fromkeys((body, one.shown, one.short)))))
        real = Path(os.path.realpath(mention.path))
        found = reachable(Spot(real, text, one.start, one.end), modules)
        reached += found.offers
        left_out += found.left_out
    return Found((*reached, *named), tuple(left_out))


def _mention(match: re.Match[str], folder: Path) -> Mention | None:
    quoted, bare, part = match.groups()
    path = _existing(quoted or bare, folder)
    if path is None and not quoted and not _is_path(bare, folder):
        return None
    written = match.group()
    if path is None:
        near = _near(quoted or bare, folder)
        raise RequestProblem(
            f"{written}: there is no file {quoted or bare} in {folder} or its project.",
            hint=f"Did you mean {' or '.join(near)}?"
            if near
            else "Write it between backticks if no file is meant.",
        )
    return Mention(written, path, part or "")


def _existing(name: str, folder: Path) -> Path | None:
    for base in (folder, root_of(folder) or folder):
        path = base / Path(name).expanduser()
        if os.path.lexists(path) and ("/" in name or not path.is_dir()):
            return path
    return None


def _is_path(name: str, folder: Path) -> bool:
    """Whether somebody who writes so means a file, although it is not there."""
    path = Path(name)
    if path.suffix[1:].lower() in _SUFFIXES:
        return True
    return len(path.parts) > 1 and _existing(f"{path.parts[0]}/", folder) is not None


def _refused(mention: Mention, why: LeftOut) -> RequestProblem:
    if why.reason == NO_FILE:
        return RequestProblem(f"{mention.written}: the file is not there any more.")
    return RequestProblem(
        f"{mention.written} is not sent: {why.name} {_is(why.reason)}.",
        hint="Name another file, or write what matters of it into the request.",
    )


def _is(reason: str) -> str:
    return reason if reason.startswith(("may ", "can ")) else f"is {reason}"


def _whole(path: Path, text: str) -> tuple[str, ...]:
    """A file's text; of Python also what it defines, should there be less room."""
    if path.suffix not in (".py", ".pyi"):
        return (text,)
    top = outline(text).top
    shorter = ("\n\n".join(one.shown for one in top), "\n\n".join(one.short for one in top))
    return tuple(dict.fromkeys((text, *filter(None, shorter))))


def _defined(mention: Mention, text: str) -> Definition:
    if mention.path.suffix not in (".py", ".pyi", ".pyw"):
        raise RequestProblem(
            f"{mention.written}: functions are found in Python files only.",
            hint=f"Name the whole file: {mention.written.rpartition(':')[0]}",
        )
    file = outline(text)
    found = file.find(mention.part)
    if found is None:
        names = [one.name for one in file.definitions]
        near = difflib.get_close_matches(mention.part, names, _NEAR) or names[:_NEAR]
        known = f"It defines {', '.join(near)}." if near else "It defines nothing."
        raise RequestProblem(f"{mention.written}: there is no {mention.part} in it.", hint=known)
    return found


def _near(name: str, folder: Path) -> list[str]:
    """Files of the project that have the name, or nearly; as mentions."""
    access = Access(root_of(folder) or folder)
    files = list(_files(access))
    names = difflib.get_close_matches(Path(name).name, {path.name for path in files}, _NEAR, _CLOSE)
    if Path(name).name in names:
        names = [Path(name).name]
    close = sorted(
        (path for path in files if path.name in names), key=lambda p: names.index(p.name)
    )
    good = [path for path in close if not access.refusal(path)]
    return [f"@{os.path.relpath(path, folder)}" for path in good[:_NEAR]]


def _files(access: Access) -> Iterator[Path]:
    """The files of a project, folders that may not be read left aside; not all of a large one."""
    left, pending = _MOST_NAMES, [access.root]
    while pending and left > 0:
        try:
            entries = sorted(os.scandir(pending.pop()), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries[:left]:
            left -= 1
            path = Path(entry.path)
            if entry.is_file(follow_symlinks=False):
                yield path
            elif entry.is_dir(follow_symlinks=False) and access.refusal(path) == A_FOLDER:
                pending.append(path)
