"""Runs of `assistant train` in processes of their own, some of which are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# What is the same for the same settings: everything but the times and the records of progress.
COMPARED = (
    "problems.jsonl", "contexts.jsonl", "tokenizer.json", "base/model.safetensors",
    "base/metrics.jsonl", "encoder/model.safetensors", "encoder/metrics.jsonl",
    "adapter/adapter_model.safetensors", "adapter/adapter_config.json", "adapter/metrics.jsonl",
    "merged/model.safetensors", "model.gguf", "verify.json", "evaluation.json", "MODEL_CARD.md",
)  # fmt: skip

# The process kills itself at its nth file that is complete and about to take its place (`before`)
# or just has taken it (`after`).
_DYING = """
import os, signal, sys
from pathlib import Path
moment, left, *arguments = sys.argv[1:]
left = int(left)
replace = Path.replace
def dying(self, target):
    global left
    left -= 1
    if left == 0 and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = replace(self, target)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
Path.replace = dying
from assistant.cli.main import main
sys.exit(main(["train", *arguments]))
"""


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`assistant train`, to its end."""
    return _run("-m", "assistant", "train", *arguments)


def train_dying(moment: str, files: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`assistant train`, killed (SIGKILL) `before` or `after` its nth file takes its place."""
    return _run("-c", _DYING, moment, str(files), *arguments)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def differing(first: Path, second: Path) -> list[str]:
    """The compared files that are not the same, byte for byte, in two run folders."""
    return [n for n in COMPARED if (first / n).read_bytes() != (second / n).read_bytes()]
