"""The library is the pinned one, and keeps quiet."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from assistant.engine import library
from assistant.engine.engine import Engine
from assistant.errors import EngineProblem, ModelProblem
from tests.support.tiny_gguf import Tiny, write


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its structs would be read as garbage."""
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "0.3.35")

    with pytest.raises(EngineProblem, match=r"0\.3\.35 is installed.*0\.3\.36"):
        library._check_version()


def test_another_layout_is_refused() -> None:
    params = SimpleNamespace(n_batch=512, n_ubatch=0)

    with pytest.raises(EngineProblem, match=r"layout of llama_context_params"):
        library._check_layout("llama_context_params", params, {"n_batch": 2048, "n_ubatch": 512})


def test_loading_and_closing_print_nothing(tmp_path: Path) -> None:
    """llama.cpp prints from C; what it says goes to the log."""
    path = write(tmp_path / "model.gguf")
    program = (
        "from pathlib import Path\n"
        "from assistant.engine.engine import Engine\n"
        f"with Engine(Path({str(path)!r})) as engine: pass\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_llama_cpp_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    """What the file says of itself is fine; this kind of model has weights that it lacks."""
    path = write(tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes().replace(b"llama", b"qwen3"))

    with pytest.raises(ModelProblem, match=r"tensor 'blk.0.attn_k_norm.weight' not found"):
        Engine(path)


def test_a_model_of_one_layer_loads(tmp_path: Path) -> None:
    with Engine(write(tmp_path / "model.gguf", Tiny(layers=1, context=64))) as engine:
        assert engine.facts.context_length == 64
        assert engine.facts.format_name == "reasoning-then-code"
        assert engine.facts.fim
        assert engine.facts.chat
