"""A folder of the user's that a check may read: the project, its interpreter, not its secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import UsageProblem
from assistant.sandbox import secrets, view
from assistant.sandbox.view import View

_FLAGS = ("-I", "-B", "-X", "utf8")
_OLDEST = (3, 8)
_MOST_LINKS = 40  # as the kernel


@dataclass(frozen=True, slots=True)
class Project:
    """A read-only view of a folder, with secrets masked.

    Attributes:
        root: the folder. Putting it on `sys.path` is the program's business.
        interpreter: the Python that runs inside, mostly that of a virtual environment, with what
            is installed for it; by default ours, with the standard library alone.
        masked: names of files and folders that are not shown.
    """

    root: Path
    interpreter: Path | None = None
    masked: tuple[str, ...] = secrets.MASKED


@dataclass(frozen=True, slots=True)
class Shown:
    """A project as the layers need it; paths are absolute.

    Attributes:
        python: the interpreter and what it reads. Not the root.
        root: without symbolic links.
        masked: what bubblewrap covers; folders end in a slash.
        folders, listed, files: what Landlock allows: to be read with all below, to be listed
            with all below, and to be read. Names of secrets can be listed there.
    """

    python: View
    root: str
    masked: tuple[str, ...]
    folders: tuple[str, ...]
    listed: tuple[str, ...]
    files: tuple[str, ...]


def shown(project: Project) -> Shown:
    """Look through the project, in time that grows with the number of its files.

    Raises:
        UsageProblem: the folder is none, or holds more than a project.
    """
    root = Path(os.path.realpath(project.root))
    _require_project(root)
    python = view.bare() if project.interpreter is None else _installed(project.interpreter)
    if any(root.is_relative_to(path) for path in python.paths):
        raise UsageProblem(f"{root} is a part of Python itself and no project.")
    links = dict(python.links) | dict(_links_along(str(project.root.absolute())))
    python = View(python.executable, python.paths, tuple(links.items()), python.flags)
    found = secrets.find(root, project.masked)
    hidden = found.files | found.folders
    masked = (*sorted(found.files), *sorted(f"{folder}/" for folder in found.folders))
    folders, files = _clean_parts(root, hidden)
    return Shown(python, str(root), masked, folders, (str(root),), files)


def _require_project(root: Path) -> None:
    if not root.is_dir():
        raise UsageProblem(f"{root} is no folder, so no check can look into it.")
    home = Path(os.path.realpath(Path.home()))
    if root == home or home.is_relative_to(root):
        raise UsageProblem(
            f"{root} holds a home folder, which is more than a project.",
            hint="Name the folder of the project itself.",
        )


def _clean_parts(root: Path, hidden: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The largest folders without a secret, and the files that stand beside one."""
    dirty = {str(parent) for path in hidden for parent in Path(path).parents}
    folders: list[str] = []
    files: list[str] = []
    pending = [str(root)]
    while pending:
        folder = pending.pop()
        if folder not in dirty:
            folders.append(folder)
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.path in hidden or entry.is_symlink():
                    continue  # what a link points to has a rule of its own, or none
                if entry.is_dir():
                    pending.append(entry.path)
                elif entry.is_file():
                    files.append(entry.path)
    return tuple(folders), tuple(files)


def _installed(interpreter: Path) -> View:
    """A Python with what is installed for it. Nothing of it is run to find out."""
    executable = interpreter.absolute()
    if not os.access(executable, os.X_OK):
        raise UsageProblem(f"{interpreter} is no program that could run the tests.")
    prefix, real = executable.parent.parent, Path(os.path.realpath(executable))
    base = str(real.parent.parent)
    settings = _settings(prefix / "pyvenv.cfg")
    version = _version(real, settings)
    wanted = [str(real), *view.python_folders(base, version), *view.system_paths()]
    if settings:  # not all of it: the settings of pip may hold a password
        wanted += [str(prefix / name) for name in ("bin", "lib", "lib64", "pyvenv.cfg")]
    if not settings or settings.get("include-system-site-packages") == "true":
        wanted += ["/usr/lib/python3/dist-packages"] if base == "/usr" else []
        wanted += [f"/usr/local/lib/python{version[0]}.{version[1]}"] if base == "/usr" else []
    links = dict(view.bare().links) | dict(_links_along(str(executable)))
    return View(str(executable), view.outermost(wanted), tuple(links.items()), _FLAGS)


def _settings(file: Path) -> dict[str, str]:
    """What a virtual environment says of itself; empty when it is none."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _version(real: Path, settings: dict[str, str]) -> tuple[int, int]:
    told = settings.get("version") or settings.get("version_info") or real.name
    found = re.search(r"(\d+)\.(\d+)", told)
    if not found:
        raise UsageProblem(f"{real} does not say which version of Python it is.")
    version = int(found[1]), int(found[2])
    if version < _OLDEST:
        message = f"{real} is Python {found[0]}; what runs the tests needs 3.8 or newer."
        raise UsageProblem(message, hint="Name a newer interpreter of the project.")
    return version


def _links_along(path: str) -> Iterator[tuple[str, str]]:
    """Each symbolic link that is met on the way to `path`, and what it says."""
    parts, done = [part for part in path.split("/") if part], "/"
    for _ in range(_MOST_LINKS):
        while parts and not Path(done, parts[0]).is_symlink():
            done = str(Path(done, parts.pop(0)))
        if not parts:
            return
        link = Path(done, parts.pop(0))
        target = str(link.readlink())
        yield str(link), target
        whole = os.path.normpath(Path(done, target))
        parts, done = [*(part for part in whole.split("/") if part), *parts], "/"
