"""The layer `bubblewrap`: namespaces of its own, a root that holds Python and nothing else.

Over it lies the filter of system calls, which bubblewrap puts in force before Python starts; the
process itself adds the rest. Needs the program `bwrap` and user namespaces; no root, no daemon.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterable

from assistant.sandbox.layers import SandboxUnavailable
from assistant.sandbox.limits import Limits
from assistant.sandbox.view import View

LAST_WORDS = b"--die-with-parent\0"
"""Read from a pipe, so that nothing is made before somebody is there to end it."""

_MEBIBYTE = 1 << 20
_HOW = "install it with the system's package manager, for example: apt install bubblewrap"
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_STREAMS = (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2"))


def command(
    limits: Limits,
    view: View,
    descriptors: tuple[str, str, str],
    roots: Iterable[str] = (),
    masked: Iterable[str] = (),
    *,
    first: bool = False,
) -> list[str]:
    """The start of the command line; the interpreter and its arguments follow.

    Args:
        limits: of the process; the temporary folder's size is set here.
        view: what can be read.
        descriptors: where bubblewrap writes the process id of the sandbox's first process, where
            it reads the filter of system calls, and where it reads `LAST_WORDS`.
        roots: folders that can be read beside it.
        masked: files and folders below them that are shown empty; folders end in a slash.
        first: the program is the first process of the namespace, without one of bubblewrap's.
    """
    # The root is a tmpfs that is read-only in the end; no other one is without a size.
    info, filters, words = descriptors
    line = [
        *(binary() or "bwrap", "--args", words),
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--new-session", "--cap-drop", "ALL"),
        *("--uid", "65534", "--gid", "65534", "--hostname", "localhost"),
        *("--proc", "/proc", "--dir", "/dev"),
        *(word for device in _DEVICES for word in ("--dev-bind", device, device)),
        *("--size", str(limits.folder_mb * _MEBIBYTE), "--tmpfs", "/tmp"),
    ]
    for name, end in _STREAMS:
        line += ["--symlink", f"/proc/self/fd{end}", f"/dev/{name}"]
    for path, target in view.links:
        line += ["--symlink", target, path]
    for path in (*roots, *view.paths):
        line += ["--ro-bind", path, path]
    for path in masked:
        line += _mask(path)
    # Started by root, bwrap would leave the settings of the host's kernel in /proc/sys writable.
    line += ["--chdir", "/tmp", "--remount-ro", "/", "--remount-ro", "/proc"]
    line += _no_user_namespaces()
    line += ["--as-pid-1"] if first else []
    return [*line, "--seccomp", filters, "--info-fd", info, "--"]


def _mask(path: str) -> list[str]:
    if path.endswith("/"):
        return ["--perms", "0500", "--size", "4096", "--tmpfs", path, "--remount-ro", path]
    # A device on a mount that allows none: it can be seen and not opened.
    return ["--ro-bind", "/dev/null", path]


def binary() -> str | None:
    """The path of the program, as a shell would find it; None when there is none."""
    # As `shutil.which` does, whose import costs as much as the start of bwrap.
    for folder in os.get_exec_path():
        file = os.path.join(folder, "bwrap")  # noqa: PTH118 (pathlib is slower)
        if os.path.isfile(file) and os.access(file, os.X_OK):  # noqa: PTH113
            return file
    return None


@functools.cache
def _no_user_namespaces() -> tuple[str, ...]:
    """The option against user namespaces inside, which versions before 0.8 do not have."""
    from assistant.sandbox import probing

    launcher = binary()
    if launcher is None:
        return ()
    if (noted := probing.noted("bwrap")) is not None:
        return tuple(noted)
    try:
        told = subprocess.run([launcher, "--help"], capture_output=True, env={}, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxUnavailable(f"{launcher} can not be run: {error}.") from error
    options = ("--disable-userns",) if b"--disable-userns" in told.stdout else ()
    if options:  # a failure is not for ever
        probing.note("bwrap", options)
    return options


def missing() -> str | None:
    """What is not there that the layer needs, without trying it."""
    return None if binary() else f"the program bwrap is not installed; {_HOW}"


def explain(message: str) -> str:
    """A failed start in words: what bubblewrap said, the likely cause, and the way out."""
    if "RTM_NEWADDR" in message or "setting up uid map" in message:
        return (
            f"{message}; the system keeps user namespaces from programs without a profile "
            "(Ubuntu since 23.10 does, by AppArmor): install the profile bwrap-userns-restrict of "
            "the package apparmor-profiles, or set kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if "Unknown option" in message:
        return f"{message}; it is older than 0.8, and the folder's size could not be bounded"
    if "namespace" in message:
        return (
            f"{message}; user namespaces are switched off here (in a container: by its runtime): "
            "see the settings user.max_user_namespaces and kernel.unprivileged_userns_clone"
        )
    return message or "bwrap ended without a word"
