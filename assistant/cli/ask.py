"""`assistant ask`: a request in, reasoning on stderr, checked code on stdout."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.cli import terminal
from assistant.errors import AssistantError, RequestProblem, UsageProblem

if TYPE_CHECKING:
    from assistant.answer import AnswerOptions
    from assistant.answer import Connection as Asking
    from assistant.cli.showing import Showing
    from assistant.client.connection import Connection
    from assistant.config import Resolved
    from assistant.context.types import Context, Found
    from assistant.tasks import Task

_EPILOG = """\
exit codes: 0 code produced and no check failed, 3 code produced and a check failed,
1 error, 2 wrong usage, 130 interrupted.

several candidates: the first that passes ends the search. Without one the best is chosen: pass,
parsed, not checked, sandbox unavailable, wrong, error, timeout, memory, output limit, crash,
protocol violation, and last what has no code. Of those that only parse, the largest group that
behaves alike on inputs made from the request (agreement is no pass); of equals, the first written.

examples:
  assistant ask 'a function `median(values)` that returns the median' > median.py
  assistant ask --tests test_median.py 'a function `median(values)` ...'
  assistant ask --candidates 5 'a function `median(values)`; median([3, 1, 2]) == 2'
  echo 'reverse the words of a text' | assistant ask - --json
  assistant ask 'make @shop/cart.py:total faster'

@path and @path:function send a file, or a function and what it uses, along with the request; the
path is meant from here or from the root of the project. Ignored and secret files are refused.
"""

# A request is prose and perhaps some code; whatever is larger is a file by mistake.
_MAX_REQUEST_BYTES = 4 << 20
_MOST_CANDIDATES = 64
# A large model takes longer than this to load, and then the user should know why.
_PATIENCE_SECONDS = 3.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "ask",
        help="answer a request with reasoning (stderr) and checked code (stdout)",
        description="Answer a request: reasoning and progress on stderr, the code on stdout.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "text", nargs="*", metavar="TEXT", help="the request; - or nothing: read it from stdin"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line on stdout, an event each"
    )
    parser.add_argument(
        "--stream", action="store_true", help="print the code as it comes, before its verdict"
    )
    parser.add_argument("--model", metavar="M", help="the model to ask, for this request only")
    parser.add_argument(
        "--tests",
        type=Path,
        metavar="FILE",
        help="run the code against FILE: plain asserts, test_* functions or pytest tests, in a "
        "sandbox of their own. Without it the examples in the request are run",
    )
    parser.add_argument(
        "--candidates",
        type=int,
        default=1,
        metavar="N",
        help="sample up to N answers (1 to 64), check each, and give the first that passes or "
        "the best",
    )
    parser.add_argument("--no-verify", action="store_true", help="check nothing")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="longest answer, reasoning and code together"
    )
    parser.add_argument(
        "--explain-context",
        action="store_true",
        help="show exactly what is sent to the model, on stderr (with --json: as an object)",
    )


def run(args: argparse.Namespace) -> int:
    """Answer the request of the command line."""
    import asyncio

    from assistant.cli.showing import JsonLines, People

    showing: Showing = JsonLines() if args.json else People(stream=args.stream)
    try:
        _check_usage(args)
        asked = _prepare(args)
        return asyncio.run(_answer(asked, showing, explain=args.explain_context))
    except AssistantError as error:
        showing.failed(str(error))
        raise
    except KeyboardInterrupt:
        showing.failed("Interrupted.")
        raise


def _check_usage(args: argparse.Namespace) -> None:
    if args.json and args.stream:
        raise UsageProblem(
            "--json and --stream exclude each other.",
            hint="--json streams already: every piece of code is an event when it comes.",
        )
    if not 1 <= args.candidates <= _MOST_CANDIDATES:
        raise UsageProblem(
            f"--candidates must be from 1 to {_MOST_CANDIDATES}, not {args.candidates}."
        )
    if args.candidates > 1 and (args.stream or args.no_verify):
        other = "--stream" if args.stream else "--no-verify"
        raise UsageProblem(
            f"--candidates and {other} exclude each other: the best is known after the checks.",
            hint=f"Drop {other}, or ask for one candidate.",
        )
    if args.tests is not None and args.no_verify:
        raise UsageProblem("--tests and --no-verify exclude each other.", hint="Drop one of them.")
    if args.max_tokens is not None and args.max_tokens < 1:
        raise UsageProblem(f"--max-tokens must be 1 or more, not {args.max_tokens}.")


@dataclass(frozen=True)
class _Asked:
    """What the command line says."""

    task: Task
    options: AnswerOptions
    resolved: Resolved
    found: Found
    """The files that the request names."""


def _prepare(args: argparse.Namespace) -> _Asked:
    """Everything that can be wrong before the engine is needed is found here."""
    from assistant import config
    from assistant.answer import AnswerOptions
    from assistant.checks import read_tests
    from assistant.tasks import Task

    task = Task(_request(args.text))
    resolved = config.load({"model": args.model, "ask.max_tokens": args.max_tokens})
    options = AnswerOptions(
        max_tokens=resolved.settings.ask.max_tokens,
        candidates=args.candidates,
        verify=not args.no_verify,
        tests=read_tests(args.tests) if args.tests is not None else None,
    )
    return _Asked(task, options, resolved, _found(task.request))


def _found(request: str) -> Found:
    from assistant.context.types import Found

    if "@" not in request:
        return Found()
    from assistant.context.gather import for_request

    return for_request(request, Path.cwd())


def _request(words: list[str]) -> str:
    if words and words != ["-"]:
        text = " ".join(words)
    elif not words and terminal.is_terminal(sys.stdin):
        raise UsageProblem(
            "No request was given.",
            hint='Write it after the command: assistant ask "reverse the words of a text"',
        )
    else:
        text = _from_stdin()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestProblem(
            f"The request is not UTF-8 text (at character {error.start + 1})."
        ) from error
    return text


def _from_stdin() -> str:
    if sys.stdin is None:
        raise UsageProblem("No request was given, and stdin is closed.")
    body = sys.stdin.buffer.read(_MAX_REQUEST_BYTES + 1)
    if len(body) > _MAX_REQUEST_BYTES:
        raise RequestProblem("The request on stdin is larger than 4 MiB, more than any context.")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestProblem(
            f"The request on stdin is not UTF-8 text (at byte {error.start + 1}).",
            hint="Convert it first, for example with iconv.",
        ) from error


async def _answer(asked: _Asked, showing: Showing, *, explain: bool) -> int:
    import asyncio
    from contextlib import aclosing

    from assistant.answer import answer
    from assistant.connecting import open_connection

    showing.connecting()
    waiting = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, showing.still_connecting)
    try:
        connection = await open_connection(asked.resolved)
    finally:
        waiting.cancel()
    try:
        context = await _context(asked, connection, showing)
        task = replace(asked.task, context=context.pieces)
        options = _options(asked, task)
        told: Asking = connection
        if explain:
            from assistant.cli.explaining import Explaining

            told = Explaining(connection, context, showing.sent)
        async with aclosing(answer(task, told, options)) as events:
            async for event in events:
                showing.event(event)
    finally:
        await connection.aclose()
    return showing.exit_code()


def _options(asked: _Asked, task: Task) -> AnswerOptions:
    if not task.context:
        return asked.options
    from assistant.mentioned import beside

    return beside(task, asked.options, task.context, Path.cwd())


async def _context(asked: _Asked, connection: Connection, showing: Showing) -> Context:
    """What there is room for; whoever named a file is told when it stays out."""
    from assistant.context.types import Context

    if not asked.found.offers:
        return Context()
    from assistant.context.budget import fitted
    from assistant.context.mentions import NAMED

    info = await connection.model_info()
    request, most = asked.task.request, asked.options.max_tokens
    context = await fitted(asked.found, info, connection, request=request, max_tokens=most)
    for one in context.left_out:
        if one.why == NAMED:
            showing.say(
                f"{one.name} is not sent: {one.reason}. {info.id} has room for {context.budget} "
                "tokens beside the request (--explain-context says more)."
            )
    return context
