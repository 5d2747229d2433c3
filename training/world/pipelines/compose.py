"""Putting blocks together: code, reasoning material and wordings of one pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from training.world.constants import WORDS, constant
from training.world.draft import Draft, Wording
from training.world.pipelines.blocks import Filter, Map, Reducer, Source
from training.world.pipelines.filters import FILTERS
from training.world.pipelines.maps import MAPS
from training.world.pipelines.reducers import REDUCERS
from training.world.pipelines.sources import SOURCES

_VARIABLES = {
    "int": ("x", "y", "n", "num", "val"),
    "str": ("w", "word", "item", "st"),
    "char": ("c", "ch", "letter", "sym"),
    "row": ("row", "r", "part", "line"),
}
_PAIRS = {"pair": ("a", "b", "p", "q"), "entry": ("k", "v", "key", "val")}
_LOCALS = ("values", "results", "parts", "chosen")


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
        names = [f"source.{self.source.key}"]
        for block, _ in self.ops:
            kind = "filter" if isinstance(block, Filter) else "map"
            names.append(f"{kind}.{block.items[0]}.{block.key}")
        if isinstance(self.end, Reducer):
            names.append(f"reduce.{self.end.items[0]}.{self.end.key}")
        else:
            names.append(f"{self.end[0]}.{self.end[1].items[0]}.{self.end[1].key}")
        return tuple(names)


def draw_constants(kinds: dict[str, str], rng: Random) -> dict[str, Any]:
    """Values for the constants of a block; some kinds depend on others of the same block."""
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind.startswith("above:"):
            values[name] = values[kind[6:]] + rng.randint(3, 25)
        elif kind == "one":
            values[name] = rng.randint(1, 2)
        elif kind.startswith("above2:"):
            values[name] = values[kind[7:]] + rng.randint(1, 4)
        elif kind == "power":
            values[name] = rng.choice((4, 4, 5, 6))
        elif kind == "word":
            values[name] = rng.choice([w for w in WORDS if w not in values.values()])
        elif kind == "charset":
            values[name] = "".join(rng.sample("abcdefghijklmnoprstuwxyz0123456789", rng.randint(3, 5)))
        else:
            values[name] = constant(kind, rng)
    return values


def filters_for(item: str) -> list[Filter]:
    return [block for block in FILTERS if item in block.items]


def maps_for(item: str) -> list[Map]:
    return [block for block in MAPS if item in block.items]


def reducers_for(item: str) -> list[Reducer]:
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
    plain = {s.item: s for s in reversed(SOURCES) if s.key in
             ("ints", "words", "chars", "rows", "zip", "entries")}
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


class _Builder:
    """Writes the code of a pipeline line by line."""

    def __init__(self, spec: Spec, params: tuple[str, ...]) -> None:
        self.spec = spec
        self.params = params
        self.taken = set(params)
        self.lines: list[str] = []
        self.steps: list[str] = []
        self.formulas: list[str] = []
        self.conds: list[str] = []
        self.item = spec.source.item
        self.map: str | None = None
        self._source()

    def _fresh(self, options: tuple[str, ...]) -> str:
        return next(name for name in options if name not in self.taken)

    def _local(self) -> str:
        name = self._fresh(_LOCALS)
        self.taken.add(name)
        return name

    def _variables(self) -> None:
        if self.item in _PAIRS:
            names = [n for n in _PAIRS[self.item] if n not in self.taken][:2]
            self.fields = {"a": names[0], "b": names[1], "xs": f"{names[0]}, {names[1]}"}
            self.fields["x"] = f"({names[0]}, {names[1]})"
        else:
            name = self._fresh(_VARIABLES[self.item])
            self.fields = {"x": name, "xs": name}
        self.e = self.fields["x"]

    def _source(self) -> None:
        source = self.spec.source
        local = ""
        if source.pre:
            local = self._fresh(("digits",) if source.key == "digits" else ("found", "common"))
            self.taken.add(local)
        for line in source.pre:
            self.lines.append(line.format(*self.params, v=local))
            self.steps.append(f"Make {self.lines[-1]}.")
        self.src = source.expr.format(*self.params, v=local)
        self._variables()

    def filter(self, block: Filter, values: dict[str, Any]) -> None:
        if self.map is not None:
            self.flush()
        cond = block.cond.format(**self.fields, **values)
        self.conds.append(cond)
        gloss = (block.gloss or block.be).format(**values)
        self.steps.append(f"Keep {self.fields['xs']} if {gloss}: {cond}.")

    def apply(self, block: Map, values: dict[str, Any]) -> None:
        if self.map is not None:
            self.flush()
        self.map = block.expr.format(**self.fields, **values)
        self.e = self.map
        gloss = block.gloss.format(**values)
        self.steps.append(f"Map {self.fields['xs']}, {gloss}: {self.map}.")
        if block.formula:
            self.formulas.append(block.formula.format(**values))
        self.out = self.item if block.out == "same" else block.out

    def _condition(self) -> str:
        if len(self.conds) == 1:
            return self.conds[0]
        return " and ".join(f"({c})" if " or " in c else c for c in self.conds)

    def _ifcond(self) -> str:
        return f" if {self._condition()}" if self.conds else ""

    def _gen(self) -> str:
        return f"{self.e} for {self.fields['xs']} in {self.src}{self._ifcond()}"

    def _trivial(self) -> bool:
        return not self.conds and self.map is None

    def flush(self) -> None:
        """Collect what there is in a local list and go on from it."""
        if self._trivial():
            return
        name = self._local()
        self.lines.append(f"{name} = [{self._gen()}]")
        self.steps.append(f"Collect in {name}.")
        self.src = name
        if self.map is not None:
            self.item = self.out
        self.conds = []
        self.map = None
        self._variables()

    def finish(self) -> None:
        end = self.spec.end
        values = self.spec.end_constants
        if not isinstance(end, Reducer):
            kind, predicate = end
            if self.map is not None:
                self.flush()
            cond = predicate.cond.format(**self.fields, **values)
            inner = f"{cond} for {self.fields['xs']} in {self.src}{self._ifcond()}"
            self.lines.append(f"return {kind}({inner})")
            gloss = (predicate.gloss or predicate.be).format(**values)
            self.steps.append(f"Return {kind} of {gloss}: {cond}.")
            return
        text = " ".join(end.lines)
        uses_flat = "{flat}" in text
        loops_twice = "{loop}" in text and text.count("{e}") > 1
        if self.map is not None and (uses_flat or loops_twice or "{ifcond}" in text):
            self.flush()
        self.steps.append(end.step.format(**values))
        if end.formula:
            self.formulas.append(end.formula.format(**values))
        self._emit(end, values)

    def _emit(self, end: Reducer, values: dict[str, Any]) -> None:
        gen = self._gen()
        # An operator binds looser than a call, a slice or an attribute that follows it.
        src = f"({self.src})" if " + " in self.src else self.src
        is_list = src.isidentifier() or src.endswith("]")
        if self.item in ("char", "row") and src == self.params[0] and self.item == "char":
            is_list = False
        if self.spec.source.key in ("keys", "backwards", "below") and src == self.src:
            is_list = is_list and src != self.params[0]
        trivial = self._trivial() and self.item not in _PAIRS
        fields = {
            **self.fields,
            **values,
            "gen": self.src if trivial else self._bracketed(gen, end),
            "arg": self.src if trivial else gen,
            "seq": src if trivial and is_list else f"list({self.src})" if trivial else f"[{gen}]",
            "src": self.src,
            "ifcond": self._ifcond(),
            "flat": self.src + self._ifcond(),
            "e": self.e,
        }
        if any("{seq}[" in line for line in end.lines) and trivial and not is_list:
            fields["seq"] = f"list({self.src})"
        indent = ""
        for line in end.lines:
            if line == "{loop}":
                self.lines.append(f"for {self.fields['xs']} in {self.src}:")
                indent = "    "
                if self.conds:
                    self.lines.append(f"    if {self._condition()}:")
                    indent = "        "
            elif line.startswith("\t"):
                self.lines.append(indent + line[1:].format(**fields))
            else:
                self.lines.append(line.format(**fields))

    @staticmethod
    def _bracketed(gen: str, end: Reducer) -> str:
        """A generator beside other arguments needs its own brackets; next(({gen})) has them."""
        return gen if any("({gen})," in line for line in end.lines) else f"({gen})"


def build(spec: Spec, params: tuple[str, ...]) -> Draft:
    """Code, steps and wordings of a pipeline with the given parameter names."""
    builder = _Builder(spec, params)
    # The loop is named first: it is what the code is arranged around.
    first = len(builder.steps)
    for block, values in spec.ops:
        if isinstance(block, Filter):
            builder.filter(block, values)
        else:
            builder.apply(block, values)
    start_xs, start_src = _Builder(spec, params).fields["xs"], _Builder(spec, params).src
    builder.finish()
    builder.steps.insert(first, f"Go over {start_xs} in {start_src}.")
    constants = [v for _, values in spec.ops for v in values.values()]
    constants += list(spec.end_constants.values())
    end = spec.end
    return Draft(
        family=_family(spec),
        primitives=spec.keys,
        kinds=spec.source.params,
        params=params,
        lines=tuple(builder.lines),
        steps=tuple(builder.steps),
        formulas=tuple(builder.formulas),
        out=end.out if isinstance(end, Reducer) else "bool",
        constants=tuple(constants),
        nonempty=isinstance(end, Reducer) and end.nonempty,
        base_name=_base_name(spec),
        word=lambda rng, refs: wording(spec, rng, refs),
    )


def _family(spec: Spec) -> str:
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


def _base_name(spec: Spec) -> str:
    parts = []
    for block, _ in spec.ops:
        parts.append(block.key)
    end = spec.end.key if isinstance(spec.end, Reducer) else f"{spec.end[0]}_{spec.end[1].key}"
    return "_".join([*([end] if end != "list" else []), *parts, spec.source.key][:3])


def _pick(rng: Random | None, options: tuple[str, ...]) -> str:
    return options[0] if rng is None else rng.choice(options)


def noun_phrase(spec: Spec, rng: Random | None, refs: tuple[str, ...]) -> str:
    """ "the squares of the even numbers in nums": source, filters and maps as one phrase."""
    source = spec.source
    noun = _pick(rng, source.nouns)
    adjectives: list[str] = []
    relatives: list[str] = []
    rest = list(spec.ops)
    while rest and isinstance(rest[0][0], Filter):
        block, values = rest.pop(0)
        use_adjective = bool(block.adj) and (rng is None or rng.random() < 0.65)
        if use_adjective:
            adjectives.append(_pick(rng, block.adj))
        else:
            relatives.append(_pick(rng, block.rel).format(**values))
    noun = " ".join([*adjectives, noun])
    clause = " and ".join(relatives)
    template = _pick(rng, source.np)
    if clause and rng is not None and rng.random() < 0.5 and template.startswith("{noun} "):
        head = template.replace("{noun}", f"{noun} {clause}", 1)
    else:
        head = template.replace("{noun}", noun, 1) + (f" {clause}" if clause else "")
    phrase = "the " + head.format(*refs)
    for block, values in rest:
        if isinstance(block, Map):
            phrase = _pick(rng, block.np).format(np=phrase, **values)
        else:
            relative = _pick(rng, block.rel).format(**values)
            among = "those of {np} {rel}" if rng is None else rng.choice(
                ("those of {np} {rel}", "the ones among {np} {rel}", "the results {rel} among {np}"))
            phrase = among.format(np=phrase, rel=relative)
    return phrase


def _bare(phrase: str) -> str:
    return phrase[4:] if phrase.startswith("the ") else phrase


def _value_wording(spec: Spec, rng: Random | None, refs: tuple[str, ...]) -> Wording:
    np = noun_phrase(spec, rng, refs)
    end, values = spec.end, spec.end_constants
    if not isinstance(end, Reducer):
        kind, predicate = end
        if kind == "all":
            text = f"all of {np} {predicate.be}"
            if rng is not None and rng.random() < 0.5:
                text = f"all {_bare(np)} {predicate.be}"
        else:
            relative = _pick(rng, predicate.rel)
            text = f"any of {np} {predicate.be}" if rng is None or rng.random() < 0.5 else (
                f"at least one of {np} is among those {relative}")
        return Wording("clause", text.format(**values))
    if end.verbs and rng is not None and rng.random() < 0.3:
        return Wording("verb", rng.choice(end.verbs).format(np=np, **values))
    text = _pick(rng, end.np).format(np=np, np_bare=_bare(np), **values)
    return Wording("clause" if end.clause else "np", text)


_KEEPS = ("keep only those {rel}", "keep the ones {rel}", "pick the ones {rel}", "select those {rel}",
          "drop everything except those {rel}", "take only the ones {rel}", "filter for those {rel}")
_OPENINGS = ("Take {np}", "Go through {np}", "Start with {np}", "From {np}", "Given {np}", "Look at {np}")


def _sequence(spec: Spec, rng: Random, refs: tuple[str, ...]) -> str:
    """The same as a series of orders: "Take the numbers in nums, keep only the even ones, ..."."""
    plain = Spec(spec.source, (), spec.end, spec.end_constants)
    parts = [rng.choice(_OPENINGS).format(np=noun_phrase(plain, rng, refs))]
    for block, values in spec.ops:
        if isinstance(block, Map):
            parts.append(rng.choice(block.do).format(**values))
        elif block.adj and rng.random() < 0.5:
            parts.append(f"keep only the {rng.choice(block.adj)} ones")
        else:
            parts.append(rng.choice(_KEEPS).format(rel=rng.choice(block.rel).format(**values)))
    end, values = spec.end, spec.end_constants
    if isinstance(end, Reducer):
        last = rng.choice(end.do).format(**values)
    else:
        kind = "all of them" if end[0] == "all" else "any of them"
        last = f"return whether {kind} {end[1].be.format(**values)}"
    if rng.random() < 0.15:
        return ". ".join(p[0].upper() + p[1:] for p in [*parts, last])
    if rng.random() < 0.15:
        return ", ".join(parts) + ", then " + last
    return ", ".join(parts) + " and " + last


def wording(spec: Spec, rng: Random | None, refs: tuple[str, ...]) -> Wording:
    """One way to say what the pipeline does; the canonical one when `rng` is None."""
    if rng is not None and spec.ops and rng.random() < 0.38:
        return Wording("sequence", _sequence(spec, rng, refs))
    return _value_wording(spec, rng, refs)
