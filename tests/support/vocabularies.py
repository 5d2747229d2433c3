"""Real vocabularies, from the source release of llama-cpp-python that this project pins.

    python -m tests.support.vocabularies DIR

`make test` does that once; `ASSISTANT_TEST_VOCAB` names the file of Llama 3 then. They are not
part of the wheel, and the release's source comes from where pip takes packages: no model hub is
asked. Without a network the tests that need them skip.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

LLAMA, GPT2, QWEN2 = (f"ggml-vocab-{name}.gguf" for name in ("llama-bpe", "gpt-2", "qwen2"))


def fetch(folder: Path) -> None:
    """Put the vocabularies into `folder`, if they are not there yet."""
    if all((folder / name).is_file() for name in (LLAMA, GPT2, QWEN2)):
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
                name = Path(member.name).name
                if name in (LLAMA, GPT2, QWEN2) and (content := release.extractfile(member)):
                    (folder / name).write_bytes(content.read())


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
