"""Loads the model files that it is told, one a line, and says a line about each.

The same way as the daemon: pre-check, llama.cpp, context, a request, two tokens.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from assistant.engine.engine import Engine
from assistant.engine.types import CancelToken, EngineSettings, Limits, Message
from assistant.errors import AssistantError, ModelProblem

_MEMORY = 6 * 1024**3


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def load(path: Path) -> str:
    """How it went."""
    try:
        with Engine(path, EngineSettings(threads=1, context_length=64)) as engine:
            try:
                prepared = engine.prepare_chat([Message("user", "hi")], limits=Limits(2))
            except AssistantError:
                prepared = engine.prepare_raw("a", limits=Limits(max_tokens=2))
            for _ in engine.generate(prepared, CancelToken()):
                pass
        return "loaded"
    except ModelProblem as error:
        return f"refused: {_one_line(error)}"
    except AssistantError as error:
        return f"failed: {_one_line(error)}"
    except Exception as error:
        return f"exception: {_one_line(error)}"


if __name__ == "__main__":
    # A file may ask for more memory than there is; it shall not get the machine's.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin.buffer:
        answer = load(Path(line.decode().rstrip("\n")))
        sys.stdout.buffer.write(answer.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()
