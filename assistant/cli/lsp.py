"""`assistant lsp`: the language server on stdin and stdout, for editors to start."""

from __future__ import annotations

import argparse
import gc
import sys

from assistant.cli import terminal


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "lsp",
        help="language server on stdin and stdout, started by an editor",
        description="Speak the Language Server Protocol on stdin and stdout. Editors start it.",
        allow_abbrev=False,
    )
    # What editors append by convention; stdio is the only transport.
    parser.add_argument("--stdio", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Serve until the editor says exit."""
    if terminal.is_terminal(sys.stdin):
        terminal.say("Waiting for an editor on stdin; Ctrl-D ends it.")
    # What is imported now stays; looking for garbage in it again and again takes long. `main`
    # switches it on again.
    gc.disable()
    from lsp.server import main

    return main()
