"""What a project ignores: its `.gitignore` and `.ignore` files, and git's own lists.

Read as git does: a deeper file counts more, a later line counts more, and nothing in an ignored
folder comes back. `.ignore` is what search programs read; a file has to pass both, so that the one
can not bring back what the other leaves out.

The patterns are pathspec's. Its own way to match a whole list takes `!folder` for an exception of
everything in the folder, as git does not; so each pattern is asked here about each folder on the
way to a file.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_FOLDER = "ps_d"
"""The group in pathspec's patterns for the slash behind what they name."""
_Pattern = tuple[re.Pattern[str], bool]
"""And whether it ignores, or brings back."""

_MOST_BYTES = 1 << 20
_EXCLUDES_FILE = re.compile(rb"^\s*excludesfile\s*=\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


class IgnoreRules:
    """The rules of one project; a file of rules is read again when it has changed.

    Args:
        root: the folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[Path, tuple[tuple[int, int], list[_Pattern]]] = {}
        self._everywhere = _lists_of_git(root)

    def ignored_by(self, parts: tuple[str, ...]) -> str:
        """The file of rules that ignores a path below the root; empty when none does."""
        for length in range(1, len(parts) + 1):
            above = parts[:length]
            is_folder = length < len(parts)
            for name in (".gitignore", ".ignore"):
                files = [self._root.joinpath(*above[:depth], name) for depth in range(length)][::-1]
                if name == ".gitignore":
                    files += self._everywhere
                if found := self._first(files, above, is_folder):
                    return found
        return ""

    def _first(self, files: list[Path], parts: tuple[str, ...], is_folder: bool) -> str:
        """The first file of rules that has a word on the path, if it says that it is ignored."""
        for file in files:
            inside = len(file.parts) - len(self._root.parts) - 1
            below = "/".join(parts if file in self._everywhere else parts[inside:])
            for regex, ignores in self._patterns(file):
                if _names(regex, below, is_folder):
                    return self._name(file) if ignores else ""
        return ""

    def _name(self, file: Path) -> str:
        inside = file.is_relative_to(self._root)
        return file.relative_to(self._root).as_posix() if inside else str(file)

    def _patterns(self, file: Path) -> list[_Pattern]:
        """Of a file of rules, the last line first; none when there is no such file."""
        try:
            status = os.stat(file)  # noqa: PTH116 (half the time, many times over)
        except OSError:
            status = None
        if status is None or not stat.S_ISREG(status.st_mode):
            self._read.pop(file, None)
            return []
        stamp = status.st_mtime_ns, status.st_size
        kept = self._read.get(file)
        if kept is None or kept[0] != stamp:
            kept = self._read[file] = stamp, _patterns_of(file)
        return kept[1]


def _patterns_of(file: Path) -> list[_Pattern]:
    # Its import takes 50 ms; most folders have no such file.
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        with file.open("rb") as opened:
            lines = opened.read(_MOST_BYTES).decode("utf-8-sig", "replace").split("\n")
    except OSError:
        lines = ["*"]  # there are rules, and nobody may know them
    found: list[_Pattern] = []
    for line in lines:
        try:
            pattern = GitIgnoreSpecPattern(line.removesuffix("\r"))
        except ValueError:
            continue  # git passes over what is no pattern
        if pattern.include is not None and pattern.regex is not None:
            found.append((pattern.regex, pattern.include))
    return found[::-1]


def _names(regex: re.Pattern[str], path: str, is_folder: bool) -> bool:
    """Whether a pattern names a path itself, not a folder above it."""
    if _FOLDER not in regex.groupindex:
        return regex.match(path) is not None
    found = regex.match(f"{path}/" if is_folder else path)
    return found is not None and found.start(_FOLDER) == (len(path) if is_folder else -1)


def _lists_of_git(root: Path) -> tuple[Path, ...]:
    """What is ignored in this clone alone, and what its user ignores everywhere."""
    settings = os.environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    own = Path(settings, "git", "ignore")
    for file in (Path("~/.gitconfig").expanduser(), Path(settings, "git", "config")):
        try:
            found = _EXCLUDES_FILE.search(file.read_bytes()[:_MOST_BYTES])
        except OSError:
            continue
        if found:
            named = found[1].decode("utf-8", "replace").strip('"')
            own = Path(os.path.expandvars(named)).expanduser()
            break
    return root / ".git" / "info" / "exclude", own
