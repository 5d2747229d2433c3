"""Who has a sequence in the memory of a model, and who gives one up when it is short.

Parked sequences go first, by least recent use; then the youngest request of the least urgent
class is interrupted: it waits, and is evaluated again when there is room.
"""

from __future__ import annotations

from collections.abc import Iterable
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
"""Free cells for the answer of a request that is to begin, beyond its prompt."""


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
    ahead = max((common_prefix(one.known, other.known) for other in in_work(lane)), default=0)
    source, length = lane.cache.longest(one.known, len(one.known) - 1)
    lane.cache.unstash(one.known, max(ahead, length))
    source, length = lane.cache.longest(one.known, len(one.known) - 1)
    answer = min(_HEADROOM, one.request.max_tokens)
    needed = len(one.known) - max(ahead, length) + answer
    while not lane.cache.make_room(min(needed, lane.context.cells), besides=source):
        victim = _victim(lane, above=one.priority)
        if victim is None and any(lane.running):
            return False
        if victim is None:
            break  # it is alone: what is parked goes as it is needed
        interrupt(lane, victim)
    kept = lane.cache.open(one.known)
    while kept is None:
        victim = _victim(lane, above=one.priority)
        if victim is None:
            return False
        interrupt(lane, victim)
        kept = lane.cache.open(one.known)
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
