"""What `assistant doctor` says of models: each finding with what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from assistant import locations
from assistant.doctor import Finding, State, checks, diagnose
from assistant.errors import ModelProblem
from assistant.models import memory, pulling
from assistant.models.names import Reference
from assistant.models.watching import Silent
from tests.support.hub_server import TOKEN, HubServer
from tests.support.tiny_gguf import Tiny, write


def finding(name: str) -> Finding:
    (check,) = [check for check in checks() if check.name == name]
    ((_, found),) = diagnose((check,))
    return found


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a model the one in use."""

    def choose(role: str = "MODEL", **spec: object) -> Path:
        path = write(tmp_path / f"{role}.gguf", Tiny(layers=1, **spec))
        monkeypatch.setenv(f"ASSISTANT_{role}", str(path))
        return path

    return choose


class TestModel:
    def test_a_sound_one(self, chosen) -> None:
        path = chosen()

        found = finding("model")
        assert found.state is State.OK
        assert str(path) in found.message

    def test_one_that_is_not_here(self, monkeypatch) -> None:
        monkeypatch.setenv("ASSISTANT_MODEL", "llama-8b")
        found = finding("model")

        assert found.state is State.PROBLEM
        assert found.advice == "Download it: assistant models pull llama-8b"

    def test_one_that_is_cut_off(self, chosen) -> None:
        path = chosen()
        path.write_bytes(path.read_bytes()[:-100_000])

        assert finding("model").state is State.PROBLEM
        assert "cut off" in finding("model").message

    def test_one_without_a_template(self, chosen) -> None:
        chosen(template=None)

        assert finding("model").state is State.PROBLEM
        assert "assistant models use" in finding("model").advice

    def test_with_an_endpoint_it_does_not_matter(self, monkeypatch) -> None:
        monkeypatch.setenv("ASSISTANT_MODEL", "none")
        monkeypatch.setenv("ASSISTANT_ENDPOINT_URL", "http://127.0.0.1:9/v1")

        for name in ("model", "memory", "inline model"):
            assert finding(name).state is State.OK


class TestMemory:
    def test_enough(self, chosen) -> None:
        chosen()

        assert finding("memory").state is State.OK
        assert finding("memory").message.startswith("the model needs ")

    def test_too_little(self, chosen, monkeypatch) -> None:
        chosen()
        monkeypatch.setenv("ASSISTANT_DAEMON_MEMORY_GB", "0.015")
        found = finding("memory")

        assert found.state is State.PROBLEM
        assert "15.0 MB may be used" in found.message

    def test_what_the_running_engine_holds_counts_as_free(self, chosen, monkeypatch) -> None:
        """Else an engine that fills the machine would be a problem to itself."""
        chosen()
        monkeypatch.setattr(memory, "budget_bytes", lambda memory_gb: 0)
        assert finding("memory").state is State.PROBLEM

        locations.ensure_private_dir(locations.runtime_dir())
        locations.daemon_info_path().write_text(json.dumps({"pid": os.getpid()}))
        ballast = bytearray(b"x" * 64_000_000)
        assert finding("memory").state is State.OK
        assert ballast

        for nonsense in ("", "[]", '{"pid": "1"}', "{}"):
            locations.daemon_info_path().write_text(nonsense)
            assert finding("memory").state is State.PROBLEM

    def test_two_models_share_it(self, chosen, monkeypatch) -> None:
        chosen()
        chosen("INLINE_MODEL", seed=1)
        monkeypatch.setenv("ASSISTANT_DAEMON_MEMORY_GB", "0.05")
        assert "the two models need" in finding("memory").message

        monkeypatch.setenv("ASSISTANT_DAEMON_MEMORY_GB", "0.025")
        assert finding("memory").state is State.PROBLEM


class TestInline:
    def test_able(self, chosen) -> None:
        chosen()

        assert finding("inline model").state is State.OK

    def test_unable(self, chosen) -> None:
        chosen(fim=False)
        found = finding("inline model")

        assert found.state is State.WARNING
        assert "completions are off" in found.message
        assert "no token for the prefix" in found.message
        assert "assistant models pull qwen-coder-0.5b" in found.advice
        assert "--role inline" in found.advice

    def test_another_one_for_it(self, chosen) -> None:
        chosen(fim=False)
        chosen("INLINE_MODEL")

        assert finding("inline model").state is State.OK


def test_a_download_that_stopped_is_told(hub: HubServer, cache: Path, content: bytes) -> None:
    assert finding("downloads").state is State.OK
    hub.add("org/repo", {"m-Q8_0.gguf": content})
    hub.faults.cut_after = [1000, *[0] * 9]
    quick = pulling.Patience(tries=2, seconds=0.001)
    with pytest.raises(ModelProblem):
        pulling.pull(Reference("org/repo"), watcher=Silent(), patience=quick)

    found = finding("downloads")
    assert found.state is State.WARNING
    assert "m-Q8_0.gguf: 1.0 KB of 375.8 KB are here" in found.message
    assert "assistant models pull org/repo/m-Q8_0.gguf" in found.advice
    assert "assistant models remove org/repo/m-Q8_0.gguf" in found.advice

    hub.faults.cut_after = []
    pulling.pull(Reference("org/repo"), watcher=Silent())
    assert finding("downloads") == Finding(State.OK, "none is half-way; 1 made from here")


@pytest.mark.parametrize(
    ("variables", "state", "said"),
    [
        ({}, State.OK, "without a token"),
        ({"HF_TOKEN": TOKEN}, State.OK, "with a token"),
        ({"HF_TOKEN": "secret"}, State.WARNING, "does not begin with hf_"),
        ({"HF_TOKEN": "hf_a b"}, State.PROBLEM, "has spaces"),
        ({"HF_HUB_OFFLINE": "yes"}, State.OK, "HF_HUB_OFFLINE is set"),
        ({"HF_ENDPOINT": "http://example.org"}, State.PROBLEM, "over https only"),
    ],
)
def test_the_hub(monkeypatch, variables: dict[str, str], state: State, said: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = finding("hub")

    assert found.state is state
    assert said in found.message
    assert variables.get("HF_TOKEN", "...") not in found.message


def test_the_disk() -> None:
    assert "free for state in" in finding("disk").message
