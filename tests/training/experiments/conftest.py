"""A finished set of nano size, made once: two arms with two seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.cli.main import main
from assistant.sandbox import layers

SEEDS = 2


@pytest.fixture(scope="session")
def nano_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the set `nano`, every run done."""
    if not layers():
        pytest.skip("answers can not be judged: there is no sandbox here")
    out = tmp_path_factory.mktemp("experiments") / "nano"
    assert main(["experiments", "nano", "--seeds", str(SEEDS), "--out", str(out)]) == 0
    return out
