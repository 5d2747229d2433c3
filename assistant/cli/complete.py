"""`assistant complete`: the completion that an editor would show at a place in a file."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from assistant.cli import terminal
from assistant.errors import AssistantError, UsageProblem

if TYPE_CHECKING:
    from assistant.config import Resolved
    from assistant.inline import Outcome, Place

_EPILOG = """\
exit codes: 0 done, also when there is nothing to show (why not is said on stderr),
1 error, 2 wrong usage.

Nothing is run: a completion that would break a file that parses is not shown.

examples:
  assistant complete app.py:12:9
  assistant complete src/main.rs:40:1 --json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "complete",
        help="print the completion that an editor would show at a place in a file",
        description="Print the completion that an editor would show at a place in a file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "place",
        metavar="FILE:LINE:COLUMN",
        help="the place of the cursor; lines and columns count from 1, columns in characters",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Ask for the completion and print it."""
    import asyncio

    try:
        place = _place(args.place)
        outcome = asyncio.run(_outcome(place))
    except AssistantError as error:
        if args.json and not isinstance(error, UsageProblem):
            _print_json({"text": "", "shown": False, "reason": error.message})
        raise
    _show(place, outcome, as_json=args.json)
    return 0


def _place(argument: str) -> Place:
    """The cursor in the file's text.

    Raises:
        UsageProblem: the argument is none, or there is no such file, or no such place in it.
    """
    from pathlib import Path

    from assistant.cli.sourcefile import language_of, read_text
    from assistant.inline import Place, place_at
    from assistant.inline.naming import names_of

    parts = argument.rsplit(":", 2)
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts[1:]):
        raise UsageProblem(
            f"{argument} is no place in a file; it is written FILE:LINE:COLUMN.",
            hint="For example: assistant complete app.py:12:9",
        )
    if max(map(len, parts[1:])) > 9:
        raise UsageProblem(f"There is no place {':'.join(parts[1:])} in any file.")
    path = Path(parts[0])
    text, note = read_text(parts[0])
    if note:
        terminal.say(note)
    offset = place_at(text, int(parts[1]), int(parts[2]))
    repository, name = names_of(path)
    return Place(text, offset, language_of(parts[0]), name, repository)


async def _outcome(place: Place) -> Outcome:
    from assistant import config
    from assistant.connecting import open_connection
    from assistant.inline import Nothing, Outcome, request_for, suggest

    resolved: Resolved = config.load()
    request = request_for(place)
    if isinstance(request, Nothing):
        return Outcome(request)
    async with await open_connection(resolved) as connection:
        return await suggest(place, connection, request)


def _show(place: Place, outcome: Outcome, *, as_json: bool) -> None:
    from assistant.inline import Nothing

    reason = outcome.found.reason if isinstance(outcome.found, Nothing) else ""
    if as_json:
        _print_json(_as_json(place, outcome))
    elif not reason:
        print(_text(outcome))
    if reason:
        terminal.say(f"Nothing to show: {reason}.")


def _text(outcome: Outcome) -> str:
    from assistant.inline import Suggestion

    return outcome.found.text if isinstance(outcome.found, Suggestion) else ""


def _as_json(place: Place, outcome: Outcome) -> dict[str, object]:
    from assistant.client.types import Finished
    from assistant.inline import Nothing, Suggestion

    found, finished = outcome.found, outcome.finished or Finished("")
    where: dict[str, object] = {"start": place.offset, "end": place.offset}
    if isinstance(found, Suggestion):
        where = {"start": found.start, "end": found.end}
    return {
        "text": _text(outcome),
        "offset": place.offset,
        "range": where,
        "model": finished.model,
        "prompt_tokens": finished.prompt_tokens,
        "cached_tokens": finished.cached_tokens,
        "completion_tokens": finished.completion_tokens,
        "ttft_ms": outcome.ttft_ms,
        "tokens_per_second": finished.tokens_per_second,
        "shown": isinstance(found, Suggestion),
        "reason": found.reason if isinstance(found, Nothing) else "",
    }


def _print_json(body: dict[str, object]) -> None:
    import json

    sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
