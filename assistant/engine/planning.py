"""What goes into the next decode call of a model.

A call has rows of one class only. Of the requests of that class every one that generates has a
row; what is left of the call goes to prompts, in turns. A request whose next tokens another one
is just evaluating waits and takes them over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.engine import pace
from assistant.engine.admission import admit, in_work, room
from assistant.engine.cache import common_prefix
from assistant.engine.call import Call, Part
from assistant.engine.running import Running
from assistant.engine.types import Priority

if TYPE_CHECKING:
    from assistant.engine.lane import Lane

_WORTH_WAITING = 16
"""So many tokens in common make a request wait for another that evaluates them."""


def plan(lane: Lane, priority: Priority, alone: bool = False) -> Call | None:
    """The next call for a class; None when none of its requests can go on now.

    Args:
        lane: the model.
        priority: the class.
        alone: there is one request in all, so that nobody waits for the call to end.
    """
    admit(lane, priority)
    turn = lane.running[priority]
    generating = [one for one in turn if one.pending == 1 and not one.evaluating]
    evaluating = [one for one in turn if one.pending > 1 or one.evaluating]
    lane.batch = batch = lane.context.begin()
    parts: list[Part] = []
    if evaluating:
        # Who was first is last in the next call. Now: it may be interrupted for want of memory.
        turn.append(turn.pop(turn.index(evaluating[0])))
    # A prompt that ends in this call wants an output, too.
    outputs = lane.context.outputs - len(evaluating)
    for one in generating[: lane.context.outputs]:
        _put(lane, parts, one, 1, _guess(one, outputs, len(generating)))
    if evaluating:
        _put_prompts(lane, parts, evaluating, _prompt_rows(lane, batch.count, evaluating, alone))
    if not parts:
        return None
    return Call(lane, priority, parts, batch.count, lane.pace.expected(batch.count))


def _guess(one: Running, outputs: int, generating: int) -> list[int]:
    if one.speculation is None or one.plain_next:
        one.plain_next = False
        return []
    most = min(outputs // generating, one.left) - 1
    return one.speculation.guess(most, others=generating - 1)


def _prompt_rows(lane: Lane, taken: int, evaluating: list[Running], alone: bool) -> int:
    """Rows for prompts in a call that has some already; a few even if there are many."""
    if alone and lane.abortable and not any(one.protected for one in evaluating):
        return lane.pace.rows_alone()
    seconds = _shared_seconds(lane, evaluating) if taken else pace.USUAL_SECONDS
    if not lane.abortable:
        seconds = min(seconds, pace.UNABORTABLE_SECONDS)
    return min(lane.pace.rows_within(seconds), lane.context.rows - taken)


def _shared_seconds(lane: Lane, evaluating: list[Running]) -> float:
    """How long a call may be that evaluates prompts beside answers."""
    left = lane.pace.expected(sum(one.pending for one in evaluating))
    return pace.BRIEF_SECONDS if left <= pace.SHORT_SECONDS else pace.SHARED_SECONDS


def _put_prompts(lane: Lane, parts: list[Part], evaluating: list[Running], rows: int) -> None:
    taken: list[Running] = []
    over = min(pace.overhang(rows), lane.context.rows - lane.batch.count - rows)
    for one in evaluating:
        if rows <= 0 or lane.batch.outputs >= lane.context.outputs:
            return
        if one.kept is None:  # interrupted a moment ago
            continue
        _adopt(lane, one)
        if any(_shared_ahead(one, other) for other in taken):
            continue
        count = one.pending
        if count > rows + over:
            count = pace.aligned(one.done, rows)
            if count > rows:
                continue
        if _put(lane, parts, one, count):
            taken.append(one)
            rows -= count


def _put(
    lane: Lane, parts: list[Part], one: Running, count: int, guess: Sequence[int] = ()
) -> bool:
    """Add rows of a request to the call, if there is room in memory for them."""
    rows = count + len(guess)
    if one.kept is None or not room(lane, lane.batch.count + rows, one, parts):
        return False
    done = one.done
    tokens = one.known[done : done + count].tolist()
    wants = done + count == len(one.known)
    tokens.extend(guess)
    outputs = int(wants) + len(guess)
    first = lane.batch.add(one.kept.id, done, tokens, outputs)
    parts.append(Part(one, first, tokens, len(guess), wants))
    return True


def _adopt(lane: Lane, one: Running) -> None:
    """Take over what others have evaluated of the same beginning."""
    assert one.kept is not None
    limit = len(one.known) - 1
    best, length = None, one.done
    for other in in_work(lane):
        if other is one or other.kept is None or other.done <= length:
            continue
        common = min(common_prefix(one.known, other.kept.tokens), limit)
        if common > length and lane.cache.can_copy(other.kept, one.kept, common):
            best, length = other.kept, common
    if best is not None:
        if one.evaluating:
            one.cached += length - one.done
            lane.totals["cached"] += length - one.done
        lane.cache.copy(best, one.kept, length)
        one.progress()


def _shared_ahead(one: Running, other: Running) -> bool:
    """Whether `other`, which is in this call, evaluates the very next tokens of `one`."""
    if other.done != one.done:
        return False
    return common_prefix(one.known, other.known) - one.done >= _WORTH_WAITING
