"""What a program could leave behind on the machine, looked at before and after it.

A descriptor, a thread and a file of the judge; a piece of System V memory, a queue or a
semaphore; a file in the folder that programs start in. Sockets, inotify instances and locks end
with their processes, and processes are looked for by `world.descendants`; files elsewhere carry
the nonce of the world (`World.changes`).
"""

from __future__ import annotations

import threading
from pathlib import Path

from assistant.sandbox.landlock import working_folder

SYSTEM_V = "System V memory, queues and semaphores"
_SYSTEM_V = Path("/proc/sysvipc")


def traces(folder: Path, key: int) -> dict[str, list[str]]:
    """What there is now: `folder` holds the judge's temporary files, `key` is its programs'."""
    return {
        "open descriptors": _descriptors(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "temporary files": sorted(map(str, folder.rglob("*"))),
        SYSTEM_V: _system_v(key),
        "files in the working folder": _names(Path(working_folder())),
    }


def changed(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """One line for each kind of which there is another number or another one."""
    return [
        f"survivors: {what} before {before[what]}, after {after[what]}"
        for what in before
        if before[what] != after[what]
    ]


def numbered(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same with the kinds of pipes and sockets, and not which ones."""
    return {what: [one.partition(":[")[0] for one in every] for what, every in found.items()}


def _descriptors() -> list[str]:
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            target = str(path.readlink())
        except OSError:
            continue
        if not target.startswith("/proc/"):
            found.append(f"{path.name} {target}")
    return sorted(found)


def _system_v(key: int) -> list[str]:
    """Kind, key and number of each that was made under `key`; others make some as well."""
    found = []
    for kind in ("shm", "msg", "sem"):
        file = _SYSTEM_V / kind
        if not file.exists():
            continue
        rows = [line.split() for line in file.read_text("ascii").splitlines()]
        found += [f"{kind} {row[0]} {row[1]}" for row in rows if row[0] == str(key)]
    return sorted(found)


def remove_system_v(key: int) -> None:
    """Take away what is left: nobody else would."""
    import ctypes

    library = ctypes.CDLL(None)
    removals = {
        "shm": lambda number: library.shmctl(number, 0, None),
        "msg": lambda number: library.msgctl(number, 0, None),
        "sem": lambda number: library.semctl(number, 0, 0),
    }
    for line in _system_v(key):
        kind, _, number = line.split()
        removals[kind](int(number))


def _names(folder: Path) -> list[str]:
    if folder == Path("/"):
        return []
    return sorted(path.name for path in folder.iterdir())
