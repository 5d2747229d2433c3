"""From the hub to an answer: pull, use, ask, with the real daemon in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import ANSWERS, CODE, Assistant
from tests.support.hub_server import HubServer
from tests.support.tiny_gguf import Tiny, chain_of, write

NAME = "org/Good-GGUF"


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, bytes]:
    """A model that answers, split into three files."""
    folder = tmp_path / "split"
    folder.mkdir()
    words = ANSWERS["good"]
    spec = Tiny(chain=chain_of(*words), words=words, split=8)
    write(folder / "Good-Q4_K_M.gguf", spec)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_split_model_of_the_hub_answers(assistant: Assistant, parts: dict[str, bytes]) -> None:
    with HubServer() as hub:
        hub.add(NAME, parts)
        pulled = assistant.run("models", "pull", NAME, HF_ENDPOINT=hub.url)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout.endswith("Good-Q4_K_M-00001-of-00003.gguf\n")
    assert Path(pulled.stdout.strip()).is_relative_to(assistant.home)
    assert assistant.run("models", "use", NAME).returncode == 0

    asked = assistant.run("ask", "--no-verify", "Add two numbers.")

    assert asked.returncode == 0, asked.stderr
    assert asked.stdout == CODE
    assert f"{NAME}:Q4_K_M" in assistant.run("status").stdout


def test_asking_a_model_that_is_not_here_says_how_to_get_it(assistant: Assistant) -> None:
    asked = assistant.run("ask", "--model", "org/none:Q8_0", "hi")

    assert (asked.returncode, asked.stdout) == (1, "")
    assert "org/none:Q8_0 is not on this machine" in asked.stderr
    assert "assistant models pull org/none:Q8_0" in asked.stderr
