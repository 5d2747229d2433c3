"""What a project ignores: its `.gitignore` and `.ignore` files, and git's own lists.

Read as git does: a deeper file counts more, a later line counts more, and nothing in an ignored
folder comes back. `.ignore` is what search programs read; a file has to pass both, so that the one
can not bring back what the other leaves out. Where pathspec and git part (`folder/**` with an
exception below it) the file stays ignored.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_MOST_BYTES = 1 << 20
_EXCLUDES_FILE = re.compile(rb"^\s*excludesfile\s*=\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


class IgnoreRules:
    """The rules of one project; a file of rules is read again when it has changed.

    Args:
        root: the folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[Path, tuple[tuple[int, int], GitIgnoreSpec]] = {}
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
            spec = self._spec(file)
            if spec is None:
                continue
            inside = len(file.parts) - len(self._root.parts) - 1
            below = parts if file in self._everywhere else parts[inside:]
            verdict = spec.check_file("/".join(below) + "/" * is_folder).include
            if verdict is not None:
                return self._name(file) if verdict else ""
        return ""

    def _name(self, file: Path) -> str:
        inside = file.is_relative_to(self._root)
        return file.relative_to(self._root).as_posix() if inside else str(file)

    def _spec(self, file: Path) -> GitIgnoreSpec | None:
        try:
            status = os.stat(file)  # noqa: PTH116 (half the time, many times over)
        except OSError:
            status = None
        if status is None or not stat.S_ISREG(status.st_mode):
            self._read.pop(file, None)
            return None
        stamp = status.st_mtime_ns, status.st_size
        kept = self._read.get(file)
        if kept is None or kept[0] != stamp:
            kept = self._read[file] = stamp, _spec_of(file)
        return kept[1]


def _spec_of(file: Path) -> GitIgnoreSpec:
    # Its import takes 50 ms; most folders have no such file.
    from pathspec import GitIgnoreSpec

    try:
        with file.open("rb") as opened:
            lines = opened.read(_MOST_BYTES).decode("utf-8-sig", "replace").split("\n")
    except OSError:
        lines = ["*"]  # there are rules, and nobody may know them
    good = [line for line in lines if _is_pattern(line)]
    return GitIgnoreSpec.from_lines(good)


def _is_pattern(line: str) -> bool:
    """Git passes over a line that is no pattern; pathspec ends with an error."""
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


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
