"""Putting blocks together: the code of a pipeline and the steps that lead to it."""

from __future__ import annotations

from typing import Any

from training.world.draft import Draft
from training.world.pipelines.blocks import Filter, Map, Reducer
from training.world.pipelines.spec import Spec, base_name, family
from training.world.pipelines.wording import wording

_VARIABLES = {
    "int": ("x", "y", "n", "num", "val"),
    "str": ("w", "word", "item", "st"),
    "char": ("c", "ch", "letter", "sym"),
    "row": ("row", "r", "part", "line"),
}
_PAIRS = {"pair": ("a", "b", "p", "q"), "entry": ("k", "v", "key", "val")}
_LOCALS = ("values", "results", "parts", "chosen")


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
        family=family(spec),
        primitives=spec.keys,
        kinds=spec.source.params,
        params=params,
        lines=tuple(builder.lines),
        steps=tuple(builder.steps),
        formulas=tuple(builder.formulas),
        out=end.out if isinstance(end, Reducer) else "bool",
        constants=tuple(constants),
        nonempty=isinstance(end, Reducer) and end.nonempty,
        base_name=base_name(spec),
        word=lambda rng, refs: wording(spec, rng, refs),
    )
