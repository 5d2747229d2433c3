"""One export at a time to a file: two would write over each other.

The operating system's own lock, on a file of its own that lives as long as the work: the files of
an export get their names one by one, and a lock on one of them would end too early.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from assistant import filelock
from assistant.errors import ExportProblem


@contextlib.contextmanager
def held(target: Path) -> Iterator[None]:
    """Keep other exports away from `target` for as long as the context lasts.

    Raises:
        ExportProblem: another process writes it, or there is no such folder.
    """
    path = target.with_name(f"{target.name}.lock")
    while True:
        try:
            file = path.open("ab")
        except OSError as error:
            raise ExportProblem(f"{path} can not be written: {error.strerror or error}") from error
        if not filelock.take(file.fileno()):
            file.close()
            raise ExportProblem(
                f"another process is writing {target} at this moment",
                hint="wait until it is done, or name another file with --out",
            )
        if _is_there(file.fileno(), path):
            break
        file.close()  # the one that had it has removed it since
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _is_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
