"""Which blocks a pipeline is made of: drawn by chance, or each block alone."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from training.world.constants import draw_constants
from training.world.pipelines.blocks import Filter, Map, Reducer, Source
from training.world.pipelines.filters import FILTERS
from training.world.pipelines.maps import MAPS
from training.world.pipelines.reducers import REDUCERS
from training.world.pipelines.sources import SOURCES


@dataclass(frozen=True)
class Spec:
    """A pipeline before it has names: blocks with their constants."""

    source: Source
    ops: tuple[tuple[Filter | Map, dict[str, Any]], ...]
    end: Reducer | tuple[str, Filter]
    """A reducer, or ("all" | "any", predicate)."""
    end_constants: dict[str, Any]

    @property
    def keys(self) -> tuple[str, ...]:
        """The blocks by name, in the order of the code."""
        names = [f"source.{self.source.key}"]
        for block, _ in self.ops:
            kind = "filter" if isinstance(block, Filter) else "map"
            names.append(f"{kind}.{block.items[0]}.{block.key}")
        if isinstance(self.end, Reducer):
            names.append(f"reduce.{self.end.items[0]}.{self.end.key}")
        else:
            names.append(f"{self.end[0]}.{self.end[1].items[0]}.{self.end[1].key}")
        return tuple(names)


def filters_for(item: str) -> list[Filter]:
    """The filters that take items of this type."""
    return [block for block in FILTERS if item in block.items]


def maps_for(item: str) -> list[Map]:
    """The maps that take items of this type."""
    return [block for block in MAPS if item in block.items]


def reducers_for(item: str) -> list[Reducer]:
    """The reducers that take items of this type."""
    return [block for block in REDUCERS if item in block.items]


def _weighted(rng: Random, blocks: list[Any]) -> Any:
    return rng.choices(blocks, weights=[block.weight for block in blocks])[0]


def draw(rng: Random) -> Spec:
    """A random pipeline with nought to three filters and maps."""
    source: Source = _weighted(rng, list(SOURCES))
    item = source.item
    ops: list[tuple[Filter | Map, dict[str, Any]]] = []
    length = rng.choices((0, 1, 2, 3), weights=(14, 46, 34, 6))[0]
    used: set[str] = set()
    for _ in range(length):
        wants_filter = rng.random() < 0.52
        choices: list[Any] = filters_for(item) if wants_filter else maps_for(item)
        choices = [b for b in choices if b.key not in used] or maps_for(item)
        if not choices:
            continue
        block = rng.choice(choices)
        used.add(block.key)
        ops.append((block, draw_constants(block.constants, rng)))
        if isinstance(block, Map):
            item = item if block.out == "same" else block.out
            used = {block.key}
    predicates = filters_for(item)
    if predicates and rng.random() < 0.09:
        predicate = rng.choice(predicates)
        end_constants = draw_constants(predicate.constants, rng)
        return Spec(source, tuple(ops), (rng.choice(("all", "any")), predicate), end_constants)
    end: Reducer = _weighted(rng, reducers_for(item))
    if not ops and end.key == "list" and source.key in ("ints", "words", "rows"):
        end = REDUCERS[1]
    return Spec(source, tuple(ops), end, draw_constants(end.constants, rng))


def basic_specs(rng: Random) -> list[Spec]:
    """Every block alone: with the plainest source, and a list or a count to end with."""
    plain = {
        s.item: s
        for s in reversed(SOURCES)
        if s.key in ("ints", "words", "chars", "rows", "zip", "entries")
    }
    specs = []
    for source in SOURCES:
        for key in ("list", "count"):
            ends = [r for r in reducers_for(source.item) if r.key == key]
            specs += [Spec(source, (), end, {}) for end in ends]
    for item, source in plain.items():
        ends = reducers_for(item)
        simple = [r for r in ends if r.key in ("list", "chars", "entrydict")]
        for block in filters_for(item):
            values = draw_constants(block.constants, rng)
            specs += [Spec(source, ((block, values),), end, {}) for end in simple]
            specs += [Spec(source, (), (kind, block), values) for kind in ("all", "any")]
        for step in maps_for(item):
            out = item if step.out == "same" else step.out
            values = draw_constants(step.constants, rng)
            lists = [r for r in reducers_for(out) if r.key in ("list", "chars")]
            specs += [Spec(source, ((step, values),), end, {}) for end in lists]
        specs += [Spec(source, (), end, draw_constants(end.constants, rng)) for end in ends]
    return specs


def family(spec: Spec) -> str:
    """What kind of function it is, for the statistics."""
    key = spec.source.key
    if not isinstance(spec.end, Reducer):
        return "predicates"
    if key in ("zip", "shared", "onlyfirst", "joined"):
        return "two-lists"
    if key in ("entries", "values", "keys") or spec.end.out == "dict":
        return "dicts"
    if key in ("digits", "range", "below", "divisors"):
        return "numbers"
    return {"int": "lists", "row": "lists", "pair": "lists"}.get(spec.source.item, "strings")


def base_name(spec: Spec) -> str:
    """The canonical name, made of the blocks from the result inwards."""
    parts = []
    for block, _ in spec.ops:
        parts.append(block.key)
    end = spec.end.key if isinstance(spec.end, Reducer) else f"{spec.end[0]}_{spec.end[1].key}"
    return "_".join([*([end] if end != "list" else []), *parts, spec.source.key][:3])
