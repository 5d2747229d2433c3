"""What Python needs to read in order to run: the same for every layer.

Nothing of a home folder but the interpreter that lies there, nothing of /etc but the index of
shared libraries, nothing of /usr but libraries and time zones.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from assistant.sandbox import syscalls

# Prefixes that hold more than a Python: of them only the standard library is shown.
_SHARED_PREFIXES = ("/", "/usr", "/usr/local")
_EXTRA = ("/usr/share/zoneinfo", "/etc/ld.so.cache")
_NEEDED_LIBRARY = re.compile(
    r"/(?:lib(?:python[-.\d]|(?:c|m|dl|pthread|util|rt|crypt)[-.])|ld-)[^/]*$"
)


@dataclass(frozen=True, slots=True)
class View:
    """A Python and the files that it needs.

    Attributes:
        executable: the program, without symbolic links; of a virtual environment, its own.
        paths: folders and files to be readable, without symbolic links, none below another.
        links: symbolic links and what they say, for layers that build a root of their own.
        flags: how the interpreter is started.
    """

    executable: str
    paths: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]


# All of the environment. With one arena the C library does not reserve 64 MiB of address space for
# each thread, which would leave room for 14 of them. Not -I: it ignores PYTHONHASHSEED, too.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "1"}
_BARE = ("-s", "-P", "-S", "-B", "-X", "utf8")


@functools.cache
def bare() -> View:
    """The Python that this one was made from, with the standard library and nothing installed."""
    executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    wanted = [
        executable,
        *python_folders(os.path.realpath(sys.base_prefix), sys.version_info[:2]),
        *_mapped_libraries(),
        *system_paths(),
    ]
    return View(executable, outermost(wanted), _links(), _BARE)


def python_folders(prefix: str, version: tuple[int, int]) -> list[str]:
    """Where the standard library of the Python in `prefix` is, and libraries of its own."""
    if prefix not in _SHARED_PREFIXES:
        return [str(Path(prefix, name)) for name in ("lib", "lib64")]
    name = f"python{version[0]}.{version[1]}"
    return [str(Path(prefix, lib, name)) for lib in ("lib", "lib64")]


def system_paths() -> list[str]:
    """The system's shared libraries, their index, and the time zones."""
    multiarch = f"{syscalls.machine()}-linux-gnu"
    libraries = [f"/usr/lib/{multiarch}", f"/lib/{multiarch}", "/usr/lib64", "/lib64"]
    if not any(Path(folder, "libc.so.6").exists() for folder in libraries):
        libraries += ["/usr/lib", "/lib"]
    if Path("/nix/store").is_dir():
        libraries.append("/nix/store")
    return [*libraries, *_EXTRA]


def _mapped_libraries() -> list[str]:
    """The files of libpython and the C library that this very process runs on, wherever."""
    try:
        maps = Path("/proc/self/maps").read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    files = {line.split(None, 5)[5] for line in maps.splitlines() if line.count("/")}
    return sorted(file for file in files if _NEEDED_LIBRARY.search(file))


def outermost(paths: list[str]) -> tuple[str, ...]:
    """The paths that exist, resolved, without those below another one."""
    real = sorted({os.path.realpath(path) for path in paths if Path(path).exists()})
    kept: list[str] = []
    for path in real:
        if not kept or not path.startswith(kept[-1].rstrip("/") + "/"):
            kept.append(path)
    return tuple(kept)


def _links() -> tuple[tuple[str, str], ...]:
    """The links at the top of a root in which /lib and its like live below /usr."""
    found = [path for path in (Path("/lib"), Path("/lib64")) if path.is_symlink()]
    return tuple((str(path), str(path.readlink())) for path in found)
