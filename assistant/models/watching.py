"""Who is told of a download, and the lock that lets one process at a time make it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from assistant import filelock


class Watcher(Protocol):
    """Is told how far a download is; what the command line shows, or nothing."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def begin(self, what: str, total: int, done: int) -> None:
        """From here on `advance` counts towards `total` bytes."""

    def advance(self, count: int) -> None:
        """So many bytes more; 0 while it waits."""

    def end(self) -> None:
        """No more of this file."""


class Silent:
    """A watcher that shows nothing."""

    def say(self, text: str) -> None:
        """Not shown."""

    def begin(self, what: str, total: int, done: int) -> None:
        """Not shown."""

    def advance(self, count: int) -> None:
        """Not shown."""

    def end(self) -> None:
        """Not shown."""


@contextlib.contextmanager
def held(path: Path, watcher: Watcher, name: str) -> Iterator[None]:
    """Be the only process that downloads a file; waits for another one that does.

    Raises:
        OSError: the lock can not be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        told = False
        while not filelock.take(file.fileno()):
            if not told:
                watcher.say(f"Another process downloads {name}; waiting for it.")
            told = True
            watcher.advance(0)
            time.sleep(0.1)
        yield
