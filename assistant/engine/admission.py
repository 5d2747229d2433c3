"""Who has a sequence in the memory of a model, and who gives one up when it is short.

A request begins when it fits beside those of its class and of more urgent ones, once they are
read. When cells are needed parked sequences go first, by least recent use; then the youngest
request of the least urgent class is interrupted: it waits, and is evaluated again when there is
room.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from assistant.engine.cache import common_prefix
from assistant.engine.call import Part
from assistant.engine.running import Running
from assistant.engine.types import FinishReason, Priority

if TYPE_CHECKING:
    from assistant.engine.lane import Lane

MAX_RUNNING = 16
"""Requests of one class that are worked on side by side; the others wait."""
_HEADROOM = 64
"""Cells for what each request is still to say, when it is asked whether another one fits."""


def in_work(lane: Lane) -> Iterable[Running]:
    """All requests that have a sequence."""
    for group in lane.running:
        yield from group


def admit(lane: Lane, priority: Priority) -> None:
    """Give waiting requests of a class a sequence, while there is room."""
    waiting, running = lane.waiting[priority], lane.running[priority]
    while waiting and len(running) < MAX_RUNNING and not lane.blocked[priority]:
        one = waiting[0]
        if one.finished is None and not _begin(lane, one):
            lane.blocked[priority] = bool(running)
            return
        waiting.popleft()
        if one.finished is None:
            running.append(one)


def _begin(lane: Lane, one: Running) -> bool:
    """Give a request a sequence; False when it has to wait for another to end."""
    if not _fits(lane, one):
        return False
    ahead = max((common_prefix(one.known, other.known) for other in in_work(lane)), default=0)
    _, length = lane.cache.longest(one.known, len(one.known) - 1)
    lane.cache.unstash(one.known, max(ahead, length))
    while (kept := lane.cache.open(one.known)) is None:
        victim = _victim(lane, above=one.priority)
        if victim is None:
            return False
        interrupt(lane, victim)
    if not one.ticket.claim() and not one.begun:
        lane.cache.close(kept)
        one.end(FinishReason.CANCELLED)
        one.close()
        return True
    lane.cache.lighten()
    if one.evaluating:
        one.cached = len(kept)
        lane.totals["cached"] += len(kept)
    one.begin(kept)
    return True


def _fits(lane: Lane, one: Running) -> bool:
    """Whether there is room beside those that do not give way to it, when all of them are read.

    The cells that are free now say nothing: the others may have evaluated little yet. What is
    parked, and what is less urgent, goes as the cells are needed (`room`).
    """
    others = [other for group in lane.running[: one.priority + 1] for other in group]
    if not others:
        return True
    requests = [*others, one]
    beyond = sum(len(each.known) + min(_HEADROOM, each.left) for each in requests)
    beyond -= lane.context.cells
    return beyond <= 0 or beyond <= _shared(requests)


def _shared(requests: Sequence[Running]) -> int:
    """Cells that are saved because requests begin alike."""
    return sum(
        max(common_prefix(one.known, other.known) for other in requests[:place])
        for place, one in enumerate(requests)
        if place
    )


def room(lane: Lane, cells: int, one: Running, parts: list[Part]) -> bool:
    """See to it that so many cells are free; False: this request has to wait."""
    while not lane.cache.make_room(cells):
        victim = _victim(lane, above=one.priority) or _youngest_peer(lane, one, parts)
        if victim is None:
            return False
        interrupt(lane, victim)
    return True


def _victim(lane: Lane, above: Priority) -> Running | None:
    """The youngest request of the least urgent class below `above`."""
    for priority in reversed(Priority):
        if priority > above and lane.running[priority]:
            return _youngest(lane.running[priority])
    return None


def _youngest_peer(lane: Lane, one: Running, parts: list[Part]) -> Running | None:
    """A request of the same class that came later and has no rows in this call."""
    planned = {id(part.running) for part in parts}
    later = [
        other
        for other in lane.running[one.priority]
        if id(other) not in planned and other.ticket.submitted > one.ticket.submitted
    ]
    return _youngest(later) if later else None


def interrupt(lane: Lane, one: Running) -> None:
    """Give up the sequence of a request; it waits, and is evaluated again later."""
    assert one.kept is not None
    lane.running[one.priority].remove(one)
    lane.cache.close(one.kept)
    one.kept = None
    lane.waiting[one.priority].appendleft(one)
    lane.blocked = [False for _ in Priority]


def _youngest(among: list[Running]) -> Running:
    return max(among, key=lambda one: one.ticket.submitted)
