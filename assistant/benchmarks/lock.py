"""One run at a time in a folder of results: two would write over each other.

The operating system's own lock, which ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

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
        if not _taken(file.fileno()):
            raise UsageProblem(
                f"Another evaluation is writing to {folder} at this moment.",
                hint="Wait until it is done, or name another folder with --out DIR.",
            )
        yield


if sys.platform == "win32":  # written, not tested

    def _taken(descriptor: int) -> bool:
        import msvcrt

        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _taken(descriptor: int) -> bool:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks; better than no evaluation
        return True
