"""The count of cells: what llama.cpp does not tell, after any sequence of events."""

from __future__ import annotations

import array
import collections
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.engine.cache import Cache, Kept, common_prefix
from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from tests.support.tiny_gguf import Tiny, write

SMALL = EngineSettings(threads=1, cells=128)
TEXT = st.lists(st.integers(0, 2), min_size=1, max_size=60)
EVENTS = st.lists(
    st.tuples(st.sampled_from("ooaatpclsffffuuu"), TEXT, st.integers(0, 99)),
    min_size=30,
    max_size=60,
)


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[Engine]:
    """Memory for a few sequences only."""
    with Engine(write(models / "small.gguf", Tiny(context=64)), SMALL) as engine:
        yield engine


def consistent(cache: Cache, running: list[Kept]) -> None:
    """Every cell is free or owned, by as many sequences as it is counted for."""
    held = collections.Counter(cell for kept in [*running, *cache._parked] for cell in kept.cells)
    assert cache.used == len(held)
    assert not set(cache._free) & set(held)
    assert all(cache._owners[cell] == count for cell, count in held.items())
    assert all(len(kept.cells) == len(kept.tokens) for kept in running)
    assert cache.stash.bytes == sum(len(entry.data) for entry in cache.stash.entries)


def finish(cache: Cache, tokens: array.array[int]) -> None:
    """A request from its beginning to its end."""
    made = cache.open(tokens)
    if made is None:
        return
    if cache.make_room(len(tokens) - len(made)):
        cache.append(made, tokens[len(made) :])
    cache.park(made)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(events=EVENTS, places=st.integers(1, 4))
def test_every_cell_is_counted_once(small: Engine, events: list[Any], places: int) -> None:
    """Opened, shared, grown, cut, parked, closed, moved out of the context and back."""
    engine = small
    engine.context.clear()
    cache = Cache(engine.context, places * engine.context.state_size(0))
    running: list[Kept] = []
    for event, text, number in events:
        tokens = array.array("i", text)
        one = running[number % len(running)] if running else None
        if event == "o":
            made = cache.open(tokens)
            if made is not None:
                running.append(made)
        elif event == "f":
            finish(cache, tokens * 4)
        elif event == "u":
            if stashed := cache.stash.entries:
                tokens = stashed[number % len(stashed)].tokens + tokens
            cache.unstash(tokens, number % 40)
        elif one is None:
            continue
        elif event == "a" and cache.make_room(len(tokens)):
            cache.append(one, tokens)
        elif event == "t":
            cache.truncate(one, number % (len(one) + 1))
        elif event in "pc":
            running.remove(one)
            (cache.park if event == "p" else cache.close)(one)
        elif event == "l":
            cache.lighten()
        elif event == "s" and number % 2 and one.tokens:
            other = Kept(cache._ids.pop())
            cache.copy(one, other, number % len(one) + 1)
            running.append(other)
        consistent(cache, running)
    for one in running:
        cache.close(one)
    cache.forget_parked()
    assert cache.free == engine.context.cells
    assert sorted(cache._ids) == list(range(engine.context.sequences))


@given(one=TEXT, other=TEXT)
def test_a_common_beginning_is_as_long_as_it_can_be(one: list[int], other: list[int]) -> None:
    length = common_prefix(array.array("i", one), array.array("i", other))
    assert one[:length] == other[:length]
    assert length == min(len(one), len(other)) or one[length] != other[length]
