"""`python -m assistant.daemon`: how clients start the daemon, with the lock handed over."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from assistant.daemon.lifecycle import Options, serve
from assistant.engine.types import EngineSettings
from assistant.errors import AssistantError


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon; the exit status."""
    parser = argparse.ArgumentParser(prog="assistant.daemon", description=__doc__)
    parser.add_argument("--model-path", type=Path, required=True)
    parser.add_argument("--model-name", required=True)
    parser.add_argument("--adapter-path", type=Path)
    parser.add_argument("--inline-path", type=Path)
    parser.add_argument("--inline-adapter-path", type=Path)
    parser.add_argument("--inline-name", default="")
    parser.add_argument("--memory-gb", type=float, default=0.0)
    parser.add_argument("--idle-seconds", type=float, default=1800.0)
    parser.add_argument("--context-length", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--loopback", type=int, metavar="PORT", nargs="?", const=0)
    parser.add_argument("--started-by", default="")
    parser.add_argument("--lock-fd", type=int, help="the held lock, inherited from the starter")
    given = parser.parse_args(arguments)
    options = Options(
        model_path=given.model_path,
        model_name=given.model_name,
        adapter_path=given.adapter_path,
        inline_path=given.inline_path,
        inline_adapter_path=given.inline_adapter_path,
        inline_name=given.inline_name,
        memory_gb=given.memory_gb,
        idle_seconds=given.idle_seconds,
        engine=EngineSettings(context_length=given.context_length, threads=given.threads),
        started_by=given.started_by,
        loopback=given.loopback,
    )
    try:
        return serve(options, given.lock_fd)
    except AssistantError as error:
        # Its stderr is the log file; the client that started it shows the end of it.
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:  # something of another kind stands in the place of our files, say
        sys.stderr.write(f"{error.filename or 'A file'}: {error.strerror or error}.\n")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
