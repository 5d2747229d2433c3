"""Up to three suggestions to choose from, for somebody who asked by a key."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import replace

from assistant.inline.place import Place
from assistant.inline.request import Request
from assistant.inline.suggest import Filler, Manner, Outcome, suggest
from assistant.inline.suggestion import Nothing, Suggestion

CANDIDATES = 3
TEMPERATURE = 0.7
"""Of all but the first, which is the most likely."""


async def several(
    place: Place,
    filler: Filler,
    request: Request,
    *,
    manner: Manner | None = None,
    count: int = CANDIDATES,
    within: float | None = None,
) -> list[Outcome]:
    """Ask for the most likely suggestion and for others beside it, all at once.

    The same text gives the same candidates. Cancelling the task cancels all requests.

    Args:
        place: the cursor.
        filler: the connection.
        request: what to ask.
        manner: how to ask for the first.
        count: how many.
        within: seconds; what has not come by then is not waited for.

    Returns:
        One outcome each, the most likely first; fewer when the time was up.

    Raises:
        AssistantError: the most likely one failed; `suggest` says how.
    """
    first = manner or Manner()
    # A newer request of the same client would end the older: these stand side by side.
    manners = [
        replace(first, client=""),
        *(
            replace(first, client="", temperature=TEMPERATURE, seed=_seed(request, number))
            for number in range(1, count)
        ),
    ]
    tasks = [asyncio.create_task(suggest(place, filler, request, manner=one)) for one in manners]
    try:
        await asyncio.wait(tasks, timeout=within)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not tasks[0].cancelled():
        # Why none came: the others fail for the same reason.
        tasks[0].result()
    return [task.result() for task in tasks if not task.cancelled() and task.exception() is None]


def different(outcomes: Sequence[Outcome]) -> Nothing | tuple[Suggestion, ...]:
    """The suggestions, each once; without any the first reason why."""
    found = [one.found for one in outcomes if isinstance(one.found, Suggestion)]
    if found:
        return tuple(dict.fromkeys(found))
    reasons = [one.found for one in outcomes if isinstance(one.found, Nothing)]
    return reasons[0] if reasons else Nothing("no suggestion came in time", passing=True)


def _seed(request: Request, number: int) -> int:
    """Follows from the text, so that asking once more shows the same."""
    near = (request.prefix + request.typed)[-2000:] + "\0" + request.suffix[:500]
    return (zlib.crc32(near.encode("utf-8", "replace")) + number) & 0x7FFFFFFF
