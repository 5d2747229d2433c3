"""Real vocabularies and llama.cpp's converter, from the pinned source of llama-cpp-python.

    python -m tests.support.vocabularies DIR

`make test` does that once; `ASSISTANT_TEST_VOCAB` names the file of Llama 3 then. They are not
part of the wheel, and the release's source comes from where pip takes packages: no model hub is
asked. The converter (MIT licence) lies in `llama.cpp` beside them; only tests run it. Without a
network the tests that need them skip.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

LLAMA, GPT2, QWEN2, REFACT, PIECES = (
    f"ggml-vocab-{name}.gguf" for name in ("llama-bpe", "gpt-2", "qwen2", "refact", "llama-spm")
)
VOCABULARIES = (LLAMA, GPT2, QWEN2, REFACT, PIECES)
_BEFORE = "vendor/llama.cpp/"
_CONVERTER = ("convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion/", "gguf-py/gguf/")


def fetch(folder: Path) -> None:
    """Put the vocabularies and the converter into `folder`, if they are not there yet."""
    needed = [*(folder / name for name in VOCABULARIES), folder / "llama.cpp" / _CONVERTER[0]]
    if all(path.is_file() for path in needed):
        return
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"llama-cpp-python=={version('llama-cpp-python')}"
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q"]
        only_source = ["--no-deps", "--no-binary", "llama-cpp-python", "--dest", place]
        subprocess.run([*command, *only_source, wanted], check=True)
        archive = next(Path(place).glob("*.tar.gz"))
        with tarfile.open(archive) as release:
            for member in release:
                target = _target(member.name)
                if target and member.isfile() and (content := release.extractfile(member)):
                    (folder / target).parent.mkdir(parents=True, exist_ok=True)
                    (folder / target).write_bytes(content.read())


def _target(name: str) -> str:
    """Where a file of the release goes; empty: it is not needed."""
    if name.endswith(VOCABULARIES):
        return Path(name).name
    _, _, below = name.partition(_BEFORE)
    needed = below.startswith(_CONVERTER) and below.endswith(".py") and ".." not in below
    return f"llama.cpp/{below}" if needed else ""


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
