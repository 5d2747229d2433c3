"""The usual way's tools: the converter and its environment, and llama.cpp's quantiser.

The environment is this one's packages, to the byte, and what the converter wants besides; nothing
of it comes into `.venv`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.bench.serving import vocabulary
from tests.bench.serving.peer import Peer

PLACE = Path(__file__).resolve().parents[3] / "out" / "bench-export"
_CACHE = PLACE.parent / "cache" / "llama.cpp"
_NEEDS = ("sentencepiece>=0.1.98,<0.3.0",)
"""The converter tries the tokenizer as one of sentencepiece's before it takes it for what it is."""
_TEMPLATE = "meta-llama-Llama-3.1-8B-Instruct.jinja"


@dataclass(frozen=True)
class Tools:
    """What the usual way needs, made on first use."""

    peer: Peer

    @cached_property
    def python(self) -> Path:
        """An interpreter with torch, transformers, peft and the converter's wishes."""
        folder = PLACE / "venv"
        python = folder / "bin" / "python"
        if (folder / ".ready").exists():
            return python
        print(f"installing {_NEEDS[0]} in {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        own = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
        beneath = Path(own.stdout.strip(), "beneath.pth")
        beneath.write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, *_NEEDS], check=True)
        (folder / ".ready").touch()
        return python

    @cached_property
    def converter(self) -> Path:
        """convert_hf_to_gguf.py."""
        return self.peer.source / "convert_hf_to_gguf.py"

    @cached_property
    def quantiser(self) -> Path:
        """llama-quantize."""
        return self.peer.program("llama-quantize")

    @cached_property
    def words(self) -> Path:
        """A file with Llama 3's vocabulary."""
        return self.peer.source / "models" / "ggml-vocab-llama-bpe.gguf"

    @cached_property
    def template(self) -> str:
        """Llama 3.1's chat template."""
        return (self.peer.source / "models" / "templates" / _TEMPLATE).read_text(encoding="utf-8")

    def silent(self) -> list[bool]:
        """Which tokens are no text by themselves."""
        return [text is None for text in vocabulary.read(self.words).texts()]


def tools() -> Tools:
    """With llama.cpp's source and programs where `make bench-serving` has them, too."""
    return Tools(Peer(Path(os.environ.get("ASSISTANT_BENCH_CACHE", _CACHE))))
