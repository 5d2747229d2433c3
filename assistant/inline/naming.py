"""What a file is called in its repository: models were trained on such names."""

from __future__ import annotations

from pathlib import Path

from assistant.context.project import HIGHEST, MARKS


def names_of(path: Path) -> tuple[str, str]:
    """The name of the repository and the path of the file in it.

    Outside of any repository: no name, and the file's own.
    """
    whole = path.absolute()
    for mark in MARKS:
        for folder in whole.parents[:HIGHEST]:
            if (folder / mark).exists():
                return folder.name, whole.relative_to(folder).as_posix()
    return "", path.name
