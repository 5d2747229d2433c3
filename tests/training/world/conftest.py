"""One sample of the world for all tests of this folder: making it is what takes the time."""

from __future__ import annotations

import pytest

from training.world import Problem, generate

SAMPLE = 3000


@pytest.fixture(scope="session")
def problems() -> list[Problem]:
    return list(generate(SAMPLE, 20))
