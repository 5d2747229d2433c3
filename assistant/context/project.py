"""Which folder is the project of a file, and what a file is called in it."""

from __future__ import annotations

import os
from pathlib import Path

MARKS = (".git", ".hg", ".jj", "pyproject.toml", "package.json", "Cargo.toml", "go.mod")
HIGHEST = 12
"""Folders above a file that are looked at."""


def root_of(path: Path) -> Path | None:
    """The project that a file or folder is in, without symbolic links; None when it is in none.

    A folder that holds somebody's home is no project, whatever lies in it.
    """
    whole = Path(os.path.realpath(path))
    folders = (whole, *whole.parents)[: HIGHEST + 1]
    for mark in MARKS:
        for folder in folders:
            if (folder / mark).exists():
                return None if holds_home(folder) else folder
    return None


def holds_home(folder: Path) -> bool:
    """Whether a folder is a home folder or has one in it."""
    home = Path(os.path.realpath(Path.home()))
    return home.is_relative_to(folder)
