"""TRL in an environment of its own under out/, on top of this one's torch, transformers and peft.

So both sides have the same libraries, to the byte, and nothing of TRL's comes into `.venv`.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.bench.training.lines import ROOT

PEER = ("trl==1.16.0", "datasets")
PLACE = ROOT / "out" / "bench-training"


def prepare() -> Path:
    """The peer's Python, installed on first use."""
    folder = PLACE / "venv"
    python = folder / "bin" / "python"
    if (folder / ".ready").exists():
        return python
    print(f"Installing {PEER[0]} in {folder} ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    packages = _packages(python)
    (packages / "beneath.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    subprocess.run([*pip, *PEER], check=True)
    (folder / ".ready").touch()
    return python


def _packages(python: Path) -> Path:
    ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    found = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    return Path(found.stdout.strip())
