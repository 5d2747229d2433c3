"""The layer `bubblewrap`: namespaces of its own, a root that holds Python and nothing else."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

from assistant.sandbox.limits import Limits

_MEBIBYTE = 1 << 20


def command(limits: Limits, info_fd: int) -> list[str]:
    """The start of the command line; the program's own follows.

    Args:
        limits: of the process; the temporary folder's size is set here.
        info_fd: where bubblewrap writes the process id of the sandbox's first process.
    """
    prefix = sys.base_prefix
    return [
        _binary() or "bwrap",
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--ro-bind", "/usr/lib", "/usr/lib", "--ro-bind-try", "/lib64", "/lib64"),
        *("--symlink", "usr/lib", "/lib", "--ro-bind", prefix, prefix),
        *("--proc", "/proc", "--dir", "/dev", "--dev-bind", "/dev/null", "/dev/null"),
        *("--dev-bind", "/dev/urandom", "/dev/urandom"),
        *("--size", str(limits.folder_mb * _MEBIBYTE), "--tmpfs", "/tmp", "--chdir", "/tmp"),
        *("--remount-ro", "/", "--info-fd", str(info_fd), "--"),
    ]


def interpreter() -> str:
    """The Python that runs inside: the one that our environment was made from."""
    return str(Path(sys.base_prefix) / "bin" / Path(sys.executable).resolve().name)


def _binary() -> str | None:
    return shutil.which("bwrap")


@functools.cache
def problem() -> str | None:
    """Why the layer does not work here, or None when it does."""
    if _binary() is None:
        return "the program bwrap is not installed"
    trial = [*command(Limits(), 2), interpreter(), "-I", "-S", "-c", ""]
    run = subprocess.run(trial, capture_output=True, env={}, timeout=20)
    return None if run.returncode == 0 else run.stderr.decode("utf-8", "replace").strip()
