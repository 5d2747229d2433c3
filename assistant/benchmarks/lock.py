"""One run at a time in a folder of results: two would write over each other.

The operating system's own lock, which ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from assistant import filelock
from assistant.errors import StateProblem, UsageProblem

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other runs out of `folder`, which is made, for as long as the context lasts.

    Raises:
        UsageProblem: another run has it.
        StateProblem: the folder can not be made or written.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise StateProblem(
            f"{folder} can not be written: {error.strerror or error}.",
            hint="Name another folder with --out DIR.",
        ) from error
    with file:
        if not filelock.take(file.fileno()):
            raise UsageProblem(
                f"Another evaluation is writing to {folder} at this moment.",
                hint="Wait until it is done, or name another folder with --out DIR.",
            )
        yield
