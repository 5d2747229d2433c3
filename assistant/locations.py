"""Every path that the product keeps state at.

`ASSISTANT_HOME` moves all of it to one folder (the tests use a temporary one); otherwise the
platform decides, through platformdirs. Nothing is created by asking for a path:
`ensure_private_dir` does that, and says what to do when it can not.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from assistant.errors import StateProblem

APP = "assistant"

# sun_path holds 108 bytes on Linux and 104 on macOS, the final NUL included.
MAX_SOCKET_PATH_BYTES = 103

PROTOCOL_MAJOR = 1


def home() -> Path | None:
    """The folder that `ASSISTANT_HOME` names, or None when the platform's folders are used."""
    value = os.environ.get("ASSISTANT_HOME", "").strip()
    try:
        return Path(value).expanduser().absolute() if value else None
    except RuntimeError as error:
        raise StateProblem(
            f"ASSISTANT_HOME is {value!r}, and there is no such user's home.",
            hint="Set it to a folder that you can write to, or unset it.",
        ) from error


def config_dir() -> Path:
    """Where `config.toml` lives."""
    if (base := home()) is not None:
        return base
    return _of_platform("user_config_path")


def config_file() -> Path:
    """The user's settings."""
    return config_dir() / "config.toml"


def state_dir() -> Path:
    """Logs, history and what the daemon remembers between runs."""
    if (base := home()) is not None:
        return base / "state"
    return _of_platform("user_state_path")


def cache_dir() -> Path:
    """What can be deleted without loss."""
    if (base := home()) is not None:
        return base / "cache"
    if (folder := _linux_cache()) is not None:
        return Path(folder, APP)
    return _of_platform("user_cache_path")


def models_dir() -> Path:
    """Models that the user pulled or made."""
    if (base := home()) is not None:
        return base / "models"
    return _of_platform("user_data_path") / "models"


def hub_cache_dir() -> Path:
    """The Hugging Face cache, which every program that downloads from the hub shares.

    Its own variables name it; without them it moves with `ASSISTANT_HOME`.
    """
    for name, below in (("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""), ("HF_HOME", "hub")):
        if (folder := named_folder(name)) is not None:
            return folder / below
    if (base := home()) is not None:
        return base / "hub"
    return hub_home() / "hub"


def hub_home() -> Path:
    """Where the hub's own tools keep what is not a download, such as the token."""
    if (folder := named_folder("HF_HOME")) is not None:
        return folder
    caches = named_folder("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return caches / "huggingface"


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names, with `~` and variables in it resolved."""
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    return Path(os.path.expandvars(os.path.expanduser(value))).absolute()  # noqa: PTH111 (no error)


def _of_platform(kind: str) -> Path:
    import platformdirs

    try:
        found: Path = getattr(platformdirs, kind)(APP)
    except RuntimeError as error:
        raise StateProblem(
            f"There is no folder to keep state in: {error}.",
            hint="Set HOME, or set ASSISTANT_HOME to a folder that you can write to.",
        ) from error
    return found


def _linux_cache() -> str | None:
    """What platformdirs says in the plain case; its import is a tenth of a verdict's time."""
    if sys.platform != "linux":
        return None
    for name, below in (("XDG_CACHE_HOME", ""), ("HOME", ".cache")):
        folder = os.environ.get(name, "")
        if folder.startswith("/"):
            return os.path.join(folder, below)  # noqa: PTH118 (as text)
    return None


def log_path(name: str) -> Path:
    """The log file of one long-running part, such as `daemon` or `lsp`."""
    return state_dir() / "logs" / f"{name}.log"


def runtime_dir() -> Path:
    """The folder of the daemon's socket and lock: private, and short enough for a socket.

    When `ASSISTANT_HOME` is too deep for a socket path, a folder of the same user in the
    system's temporary folder stands in, named after a hash of the home.
    """
    if (base := home()) is not None:
        preferred = base / "run"
    elif os.environ.get("XDG_RUNTIME_DIR"):
        preferred = Path(os.environ["XDG_RUNTIME_DIR"]) / APP
    else:
        preferred = state_dir() / "run"
    if len(os.fsencode(preferred / _SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES:
        return preferred
    import hashlib
    import tempfile

    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"{APP}-{_user_id()}-{digest}"


_SOCKET_NAME = f"daemon-v{PROTOCOL_MAJOR}.sock"


def socket_path() -> Path:
    """The daemon's unix socket; the protocol's major version is in its name."""
    return runtime_dir() / _SOCKET_NAME


def lock_path() -> Path:
    """The file whose lock the daemon holds for life."""
    return runtime_dir() / "daemon.lock"


def daemon_info_path() -> Path:
    """What the running daemon says of itself: pid, version, protocol."""
    return runtime_dir() / "daemon.json"


def _user_id() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def ensure_private_dir(path: Path) -> Path:
    """Make `path` a folder that only its owner can enter, and return it.

    Raises:
        StateProblem: it can not be made, is not a folder, or belongs to somebody else.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.lstat(path)
    except OSError as error:
        raise StateProblem(
            f"{path} can not be created: {error.strerror or error}.",
            hint="Set ASSISTANT_HOME to a folder that you can write to.",
        ) from error
    if not stat.S_ISDIR(status.st_mode):
        raise StateProblem(f"{path} is not a folder (a link or a file stands there). Remove it.")
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        raise StateProblem(
            f"{path} belongs to user {status.st_uid}, not to you ({os.getuid()}).",
            hint="Set ASSISTANT_HOME to a folder of your own.",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(0o700)
    return path
