"""Where editors that tests have fetched are kept: `out/editors`, or `ASSISTANT_EDITORS_CACHE`.

Nothing is fetched unless `ASSISTANT_FETCH_EDITORS` is set, as `make test-editors` does.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FETCH_SECONDS = 1200


class NotToBeHad(Exception):
    """Why an editor could not be fetched."""


def cache_folder() -> Path:
    """The folder; it is made if it is not there."""
    folder = Path(os.environ.get("ASSISTANT_EDITORS_CACHE") or ROOT / "out" / "editors")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def may_fetch() -> bool:
    """Whether this run of the tests was told that it may download."""
    return bool(os.environ.get("ASSISTANT_FETCH_EDITORS"))


@contextmanager
def alone(name: str) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it."""
    with (cache_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints.

    Raises:
        NotToBeHad: it failed; with its last words.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=FETCH_SECONDS,
            check=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHad(f"{command[0]}: {error}") from error
    except subprocess.CalledProcessError as error:
        last = "\n".join((error.stdout + error.stderr).strip().splitlines()[-5:])
        raise NotToBeHad(f"`{' '.join(command)}` failed in {cwd}:\n{last}") from error
    return done.stdout
