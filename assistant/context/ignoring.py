"""May a file be read for context? Nothing else in this folder opens a file of the user's.

Everything that can be known without opening a file is looked at before: where it really lies, its
name, the project's ignore files, its kind and its size.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from assistant.context.project import holds_home
from assistant.context.rules import IgnoreRules
from assistant.context.types import LeftOut
from assistant.sandbox import secrets

MAX_BYTES = 1_000_000
"""A larger file is data, or was made by a program."""
SECRET = "may hold secrets"
OUTSIDE = "outside of the project"
NO_FILE = "there is no such file"
A_FOLDER = "a folder"
_LINKS_SECONDS = 60.0
_BINARY = frozenset(
    {
        *(".7z", ".a", ".avi", ".bin", ".bmp", ".bz2", ".class", ".db", ".dll", ".doc"),
        *(".docx", ".dylib", ".exe", ".gguf", ".gif", ".gz", ".ico", ".jar", ".jpeg", ".jpg"),
        *(".mov", ".mp3", ".mp4", ".npy", ".npz", ".o", ".obj", ".onnx", ".parquet", ".pdf"),
        *(".pickle", ".pkl", ".png", ".pt", ".pyc", ".pyd", ".pyo", ".safetensors", ".so"),
        *(".sqlite", ".sqlite3", ".tar", ".tif", ".tiff", ".ttf", ".wasm", ".wav", ".webp"),
        *(".woff", ".woff2", ".xls", ".xlsx", ".xz", ".zip", ".zst"),
    }
)


def has_secret_name(path: Path) -> bool:
    """Whether a file may hold secrets, by its name and those of its folders alone."""
    return secrets.is_secret(path)


class Access:
    """Which files of one project may be read, and reading them.

    Args:
        root: the folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self._rules = IgnoreRules(self.root)
        self._linked: tuple[float, frozenset[str]] = (-_LINKS_SECONDS, frozenset())

    def name_of(self, path: Path) -> str:
        """What a file is called in the project; its whole path when it is not inside."""
        for one in (os.path.abspath(path), os.path.realpath(path)):  # noqa: PTH100 (`..` goes)
            if Path(one).is_relative_to(self.root):
                return Path(one).relative_to(self.root).as_posix()
        return str(path)

    def refusal(self, path: Path) -> str:
        """Why a file may not be read; empty when it may. The file is not opened to find out."""
        named = Path(os.path.abspath(path))  # noqa: PTH100 (`..` goes, links stay)
        real = Path(os.path.realpath(named))
        if not real.is_relative_to(self.root):
            return OUTSIDE
        # By both of its names: a link may be called a secret, or lead to one.
        if has_secret_name(named) or has_secret_name(real):
            return SECRET
        for one in dict.fromkeys((named, real)):
            # A link on the way to the root itself says nothing about what is in it.
            below = one.parts[len(self.root.parts) :] if one.is_relative_to(self.root) else ()
            if found := self._rules.ignored_by(below):
                return f"ignored by {found}"
        return self._unfit(real)

    def read(self, path: Path) -> str | LeftOut:
        """A file's text, its lines ending in `\\n`; or why it is not read."""
        name = self.name_of(path)
        if reason := self.refusal(path):
            return LeftOut(name, reason)
        try:
            body = _body(Path(os.path.realpath(path)))
            return _text(body) if body is not None else LeftOut(name, "no plain file")
        except (OSError, ValueError) as error:
            if isinstance(error, UnicodeDecodeError):
                return LeftOut(name, "no text in UTF-8")
            return LeftOut(name, f"can not be read ({getattr(error, 'strerror', error)})")

    def _unfit(self, real: Path) -> str:
        if real.suffix.lower() in _BINARY:
            return "no text"
        try:
            status = os.lstat(real)
        except (OSError, ValueError):
            return NO_FILE
        if not stat.S_ISREG(status.st_mode):
            return A_FOLDER if stat.S_ISDIR(status.st_mode) else "no plain file"
        if status.st_size > MAX_BYTES:
            return "larger than 1 MB"
        if status.st_nlink > 1 and (holds_home(self.root) or self._is_linked_secret(real)):
            return SECRET
        return ""

    def _is_linked_secret(self, real: Path) -> bool:
        """Whether a file is another name of a secret one: a look at every name in the project."""
        when, found = self._linked
        if time.monotonic() - when > _LINKS_SECONDS:
            found = secrets.find(self.root).files
            self._linked = time.monotonic(), found
        return str(real) in found


def _body(path: Path) -> bytes | None:
    """What is in a plain file; None when it has become another kind of thing meanwhile."""
    # Without waiting: a pipe that nobody writes to would never open.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123 (it is open already)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(MAX_BYTES)


def _text(body: bytes) -> str:
    if b"\0" in body:
        raise ValueError("it holds zero bytes")
    return body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
