"""Which files of a project nobody but its owner should read, found by their names.

Names are compared without regard to case. A pattern without a slash is about a name anywhere in
the project, one with a slash about the end of a path. A symbolic link with such a name makes
what it points to a secret, and so is every other hard link to a secret file. What is not found:
a copy under an innocent name.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

MASKED = (
    *(".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks"),
    *("*.keystore", "*.kdbx", "*.ppk", "*.asc", "*.gpg", "id_rsa*", "id_dsa*", "id_ecdsa*"),
    *("id_ed25519*", ".netrc", "_netrc", ".pypirc", ".npmrc", ".yarnrc*", ".pgpass", ".my.cnf"),
    *(".htpasswd", ".git-credentials", ".dockercfg", ".vault-token", "pip.conf"),
    *("secrets.*", "secret.*", "credentials", "credentials.*", "service-account*.json"),
    *("service_account*.json", "client_secret*.json", "*.tfstate", "*.tfstate.*", "*.tfvars"),
    *(".aws", ".ssh", ".gnupg", ".azure", ".gcloud", ".kube", ".docker/config.json"),
    *(".cargo/credentials*", ".streamlit/secrets.toml", ".dvc/config.local"),
    # The history of a repository holds what was taken out of its files.
    *(".git", ".hg", ".svn"),
)
"""What is masked unless the caller says otherwise."""

_REPOSITORIES = frozenset({".git", ".hg", ".svn"})
# Installed packages have modules named credentials.py, and certificates that everybody has.
_ENVIRONMENT = "pyvenv.cfg"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What was found, as absolute paths without symbolic links."""

    files: frozenset[str]
    folders: frozenset[str]


def is_secret(path: PurePath) -> bool:
    """Whether a file has the name of a secret, or lies in a folder that has."""
    matches, parts = _of_default(), path.parts
    return any(
        matches(part, "/" + "/".join(parts[: number + 1])) for number, part in enumerate(parts)
    )


def find(root: Path, masked: tuple[str, ...] = MASKED) -> Secrets:
    """Look through `root`, which has to be without symbolic links.

    Virtual environments in it are not looked into, except for settings of pip beside them.
    """
    is_secret = _matcher(masked)
    files: set[str] = set()
    folders: set[str] = set()
    for entry in _entries(str(root)):
        if not is_secret(entry.name, entry.path):
            continue
        path = os.path.realpath(entry.path)
        if not path.startswith(f"{root}/"):
            continue  # a link out of the project: there is nothing behind it anyway
        if not Path(path).is_dir():
            files.add(path)
        elif not Path(path, _ENVIRONMENT).exists():  # which some call .env
            folders.add(path)
    files |= _other_names(root, files, folders)
    return Secrets(frozenset(files), frozenset(folders))


@functools.cache
def _of_default() -> Callable[[str, str], bool]:
    return _matcher(MASKED)


def _matcher(masked: tuple[str, ...]) -> Callable[[str, str], bool]:
    def compiled(patterns: list[str], before: str) -> re.Pattern[str]:
        either = "|".join(map(fnmatch.translate, patterns)) or "(?!)"
        return re.compile(f"{before}(?:{either})", re.DOTALL | re.IGNORECASE)

    of_name = compiled([pattern for pattern in masked if "/" not in pattern], "")
    of_path = compiled([pattern for pattern in masked if "/" in pattern], ".*/")
    return lambda name, path: bool(of_name.match(name) or of_path.match(path))


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as found:
                entries = list(found)
        except OSError:
            continue  # what can not be read needs no mask
        if any(entry.name == _ENVIRONMENT for entry in entries):
            yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))
            continue
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False) and entry.name not in _REPOSITORIES:
                pending.append(entry.path)


def _other_names(root: Path, files: set[str], folders: set[str]) -> set[str]:
    """Further hard links to secret files, wherever in the project they are."""
    inside = (entry.path for folder in folders for entry in _entries(folder))
    linked = {key for path in (*files, *inside) if (key := _linked(path))}
    if not linked:
        return set()
    names = (e.path for e in _entries(str(root)) if e.is_file(follow_symlinks=False))
    return {path for path in names if _linked(path) in linked}


def _linked(path: str) -> tuple[int, int] | None:
    """What identifies a file that has more than one name."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
