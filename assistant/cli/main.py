"""The `assistant` command: chooses the command, and is the one place that prints errors.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 a check failed, 130 interrupted with Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NoReturn

from assistant import __version__
from assistant.cli import terminal
from assistant.cli.layout import layout
from assistant.errors import AssistantError, UsageProblem

COMMANDS = (
    "ask",
    "complete",
    "verify",
    "tui",
    "serve",
    "status",
    "stop",
    "models",
    "lsp",
    "train",
    "experiments",
    "export",
    "eval",
    "eval-compare",
    "doctor",
)
# What takes no longer than Python's own start and end: it logs nothing, and leaves without them.
_QUICK = ("verify",)
_SELDOM = 100_000
"""Objects between two collections of garbage: none while the modules are imported."""
INTERRUPTED = 130
# What writing to standard output fails with, a closed pipe aside.
_OUTPUT_ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)
_EPILOG = """\
Without a command: the terminal interface on a terminal, otherwise this text.
`assistant COMMAND --help` says more. If something does not work: `assistant doctor`.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors look like all other errors."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(_sentence(message), hint=f"See `{self.prog} --help`.")


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else text + "."


def build_parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the whole command line, or of some commands: building one takes its import."""
    parser = _Parser(
        prog="assistant",
        description="Code with its reasoning, from a model on this machine, checked first.",
        epilog=_EPILOG,
        formatter_class=layout,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"assistant {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks and debug messages")
    # With its `prog`, argparse need not lay out a usage line to find it.
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", prog="assistant"
    )
    for name in names:
        module = importlib.import_module(f"assistant.cli.{name.replace('-', '_')}")
        _add(module, subparsers)
    return parser


def _add(module: ModuleType, subparsers: argparse._SubParsersAction[_Parser]) -> None:
    before = set(subparsers.choices)
    module.add_parser(subparsers)
    for name in set(subparsers.choices) - before:
        parser = subparsers.choices[name]
        parser.set_defaults(run=module.run)
        # SUPPRESS: without it, `assistant --debug ask` would be switched off again.
        parser.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    quick = _needed(arguments) == _QUICK
    if argv is not None or not quick:
        return _main(arguments, quick)
    gc.set_threshold(_SELDOM)
    return _leave(_main(arguments, quick))


def _leave(code: int) -> NoReturn:
    """End at once: to take every module apart would cost a third of what a verdict does."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _main(arguments: list[str], quick: bool) -> int:
    terminal.prepare_streams()
    # What the parser has not read yet decides, too: an error may come from the parser itself.
    debug = "--debug" in arguments
    try:
        if debug or not quick:
            _start_logging(debug)
        return _dispatch(arguments, _needed(arguments))
    except AssistantError as error:
        print_error(error, debug=debug)
        return error.exit_code
    except KeyboardInterrupt:
        terminal.say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        _drop_output()
        return 128 + getattr(signal, "SIGPIPE", 13)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in _OUTPUT_ERRORS and not error.filename:
            _drop_output()
            terminal.say(f"The output can not be written: {error.strerror}.")
            return 1
        terminal.say(f"Unexpected {type(error).__name__}: {error}. This is a bug.")
        terminal.say("Run the same command with --debug for the traceback.")
        return 1


def _drop_output() -> None:
    """Nothing more is written, so that Python does not complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _start_logging(debug: bool) -> None:
    import logging

    if debug:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    else:
        # Without any handler Python prints warnings, tracebacks included, to stderr.
        logging.getLogger().addHandler(logging.NullHandler())


def _dispatch(arguments: list[str], needed: Sequence[str]) -> int:
    try:
        parser = build_parser(needed)
        args, unknown = parser.parse_known_args(arguments)
        if unknown:
            about = f"assistant {args.command}" if args.command else "assistant"
            raise UsageProblem(
                f"Unrecognized arguments: {' '.join(unknown)}.", hint=f"See `{about} --help`."
            )
        run: Callable[[argparse.Namespace], int]
        if args.command is not None:
            run = args.run
        elif terminal.is_terminal(sys.stdin) and terminal.is_terminal(sys.stdout):
            run = importlib.import_module("assistant.cli.tui").run
        else:
            parser.print_help()
            run = _nothing
        code = run(args)
        sys.stdout.flush()
        return code
    except SystemExit as leaving:  # argparse after --help and --version
        sys.stdout.flush()
        return leaving.code if isinstance(leaving.code, int) else 0


def _needed(arguments: list[str]) -> tuple[str, ...]:
    """The command that is asked for, or all of them where the help or an error lists them."""
    for position, argument in enumerate(arguments):
        if argument in COMMANDS and set(arguments[:position]) <= {"--debug"}:
            return (argument,)
        if not argument.startswith("-"):
            break
    return COMMANDS


def _nothing(args: argparse.Namespace) -> int:
    return 0


def print_error(error: AssistantError, *, debug: bool = False) -> None:
    """Say on stderr what went wrong and what to do; the traceback only with --debug."""
    if debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
        return
    terminal.say(f"{terminal.bold('Error:')} {error.message}")
    if error.hint:
        terminal.say(error.hint)


if __name__ == "__main__":
    sys.exit(main())
