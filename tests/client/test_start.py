"""What keeps a daemon from starting is told in a sentence, before one is started."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from assistant import locations
from assistant.client.start import start
from assistant.client.types import Daemon
from assistant.errors import StateProblem


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)

    with pytest.raises(StateProblem, match="No space left on device"):
        start(Daemon(), Path("none.gguf"), "none")


def test_a_folder_in_the_place_of_our_file_is_named():
    locations.daemon_info_path().mkdir(parents=True)

    with pytest.raises(StateProblem, match=r"Is a directory|Operation not permitted"):
        start(Daemon(), Path("none.gguf"), "none")
