"""A finished nano run, made once, and a few of its problems."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the [train] extra")
pytest.importorskip("llama_cpp", reason="the chain ends in the engine, of the [local] extra")

# Before torch is loaded: threads that wait sleep, as in a real run.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import tokenizers
import torch

from tests.support.training_runs import train
from training import problems, tokenizer
from training.documents import Writer
from training.world import Problem


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """As nano's own settings say; toy sizes are slower on more."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole nano run."""
    out = tmp_path_factory.mktemp("nano") / "first"
    done = train("nano", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def some_problems(nano: Path) -> list[Problem]:
    """The training problems of the nano run."""
    return list(problems.read(nano / "problems.jsonl", "train"))


@pytest.fixture(scope="session")
def tokens(nano: Path) -> tokenizers.Tokenizer:
    """The nano run's tokenizer."""
    return tokenizer.load(nano / "tokenizer.json")


@pytest.fixture(scope="session")
def writer(tokens: tokenizers.Tokenizer) -> Writer:
    """Turns problems into documents with the nano run's tokenizer."""
    return Writer(tokens)
