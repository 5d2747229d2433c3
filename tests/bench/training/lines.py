"""How the bench talks to a side: a process that gets one word a line and answers one JSON object.

What libraries print to standard output goes to standard error: the answers have their own file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


class Answers:
    """The side's end."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def next(self) -> str:
        """The next word; "stop" when the bench is gone."""
        return sys.stdin.readline().strip() or "stop"

    def send(self, **answer: Any) -> None:
        """Answer it."""
        self._out.write(json.dumps(answer) + "\n")


class Side:
    """The bench's end.

    Args:
        name: for messages.
        python: the interpreter that it runs in.
        module: its program.
        settings: what it is told as its only argument.
        environment: added to this process's.
    """

    def __init__(
        self,
        name: str,
        python: Path,
        module: str,
        settings: dict[str, Any],
        environment: dict[str, str],
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, "-m", module, json.dumps(settings)],
            cwd=ROOT,
            env=dict(os.environ, **environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ready = self._answer()

    def ask(self, word: str) -> dict[str, Any]:
        """Send a word and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self._process.wait()}: see above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End it and wait."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
