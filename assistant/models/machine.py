"""How much memory this machine has, and how much of it is free for models.

A control group's limit counts like the machine's own: in a container the machine's memory is not
ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

RESERVE, RESERVE_SHARE = 500_000_000, 0.05
"""For other programs: the larger of the two, the second of all memory."""


def budget_bytes(memory_gb: float) -> int | None:
    """What models and caches may take together now.

    Args:
        memory_gb: the setting `daemon.memory_gb`; 0: what is free, less a reserve.

    Returns:
        Bytes, or None when this machine does not tell how much is free.
    """
    if memory_gb > 0:
        return int(memory_gb * 1e9)
    free, total = available_bytes(), total_bytes()
    if free is None:
        return None
    return max(0, free - max(RESERVE, int(RESERVE_SHARE * (total or 0))))


def available_bytes() -> int | None:
    """Memory that a new process could get, within this process's control group."""
    system = _system("available", "MemAvailable")
    group = _group_free()
    known = [one for one in (system, group) if one is not None]
    return min(known) if known else None


def total_bytes() -> int | None:
    """Memory of the machine, or of this process's control group where that is less."""
    limits = [limit for limit, _ in _groups()]
    known = [one for one in (_system("total", "MemTotal"), *limits) if one is not None]
    return min(known) if known else None


def held_by(pid: int) -> int:
    """Memory of another process that would be free without it; 0 where that is not told."""
    held = 0
    for line in _lines(Path(f"/proc/{pid}/status")) if pid > 0 else []:
        name, _, rest = line.partition(":")
        if name in ("RssAnon", "RssShmem"):
            held += int(rest.split()[0]) * 1024
    return held


def _system(field: str, line: str) -> int | None:
    if sys.platform == "linux":
        return _meminfo(line)
    try:
        import psutil  # type: ignore[import-untyped,unused-ignore]  # only with the engine
    except ImportError:
        return None
    return int(getattr(psutil.virtual_memory(), field))


def _meminfo(line: str, path: Path = Path("/proc/meminfo")) -> int | None:
    try:
        for text in path.read_text("ascii").splitlines():
            name, _, rest = text.partition(":")
            if name == line:
                return int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _group_free() -> int | None:
    return min((max(0, limit - used) for limit, used in _groups()), default=None)


def _groups(root: Path = Path("/sys/fs/cgroup"), own: Path | None = None) -> list[tuple[int, int]]:
    """Limit and use of every control group that this process is in and that has a limit.

    What is used counts without files that the system can drop at once.
    """
    if sys.platform != "linux":
        return []
    found = []
    for line in _lines(own or Path("/proc/self/cgroup")):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        unified = not controllers
        if not unified and "memory" not in controllers.split(","):
            continue
        base = root if unified else root / "memory"
        files = ("memory.max", "memory.current") if unified else _OLD_FILES
        folder = base / path.lstrip("/")
        # In a container the path may be the host's, of which only the root is seen here.
        for one in (folder, *folder.parents) if folder.is_dir() else (base,):
            if not one.is_relative_to(base):
                break
            if (pair := _limit_and_use(one, *files)) is not None:
                found.append(pair)
    return found


_OLD_FILES = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_NO_LIMIT = 1 << 60


def _limit_and_use(folder: Path, limit: str, use: str) -> tuple[int, int] | None:
    allowed, used = _number(folder / limit), _number(folder / use)
    if allowed is None or used is None or allowed >= _NO_LIMIT:
        return None
    droppable = sum(
        int(line.split()[1])
        for line in _lines(folder / "memory.stat")
        if line.startswith(("inactive_file ", "total_inactive_file "))
    )
    return allowed, max(0, used - droppable)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
