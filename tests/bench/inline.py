"""How often a line is completed as it was: `python -m tests.bench.inline [--limit 200]`.

Lines are cut at a random place and the embedded model writes the rest: lines of functions like
those it learned, of a structure that it did not see, and lines of HumanEval (SingleLineInfilling),
which are far from them. The arms differ in how the model is asked:

    in the prefix     what was typed is the end of the prefix, as llama-server has it
    behind            ... stands behind the middle token, the anchor at the beginning of the line
    behind, healed    ... and the end of it that may be half a token is taken off
    far anchor        the same, the anchor up to 512 characters away: what `complete` does
    complete          the same through the whole way: what would be shown, after all checks

"Exact" is the line as it was, white space at its end aside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.engine.engine import Engine
from assistant.engine.fill import Fill, fill_prompt
from assistant.engine.fim import style_of
from assistant.engine.types import CancelToken, EngineSettings, Limits, Prepared, Sampling, Text
from assistant.inline import Place, Request, Suggestion, request_for, suggest
from assistant.inline.suggestion import applied
from assistant.models import store
from tests.support.engine_filler import EngineFiller
from tests.support.infilling import Hole, of_the_world, published

_TOKENS = 24
_LIMITS = Limits(max_tokens=_TOKENS, stop=("\n",))
Ask = Callable[[Engine, Hole], Prepared]


@dataclass
class Score:
    """One arm on one set."""

    exact: int = 0
    shown: int = 0
    count: int = 0
    seconds: float = 0.0


def in_the_prefix(engine: Engine, hole: Hole) -> Prepared:
    """As llama-server asks."""
    return engine.prepare_fill(hole.above + hole.typed, hole.below, limits=_LIMITS)


def behind(engine: Engine, hole: Hole) -> Prepared:
    """Typed text behind the middle token, with its last token as it is."""
    style = style_of(engine.vocabulary)
    assert style is not None
    room = engine.facts.context_length - _TOKENS
    tokens = fill_prompt(engine.vocabulary, style, Fill(hole.above, hole.below, hole.typed), room)
    return Prepared(tuple(tokens), Sampling(), _LIMITS, _TOKENS)


def healed(engine: Engine, hole: Hole) -> Prepared:
    """The same, healed."""
    return engine.prepare_fill(hole.above, hole.below, limits=_LIMITS, typed=hole.typed)


def far_anchor(engine: Engine, hole: Hole) -> Prepared:
    """As `complete` asks."""
    request = request_for(Place(hole.text, hole.offset))
    assert isinstance(request, Request), request
    prefix, suffix = request.prefix, request.suffix
    return engine.prepare_fill(prefix, suffix, limits=_LIMITS, typed=request.typed)


ARMS: dict[str, Ask] = {
    "in the prefix": in_the_prefix,
    "behind": behind,
    "behind, healed": healed,
    "far anchor": far_anchor,
}


def run_arm(engine: Engine, ask: Ask, holes: Sequence[Hole]) -> Score:
    """Ask for every hole."""
    score, started = Score(count=len(holes)), time.perf_counter()
    for hole in holes:
        outputs = engine.generate(ask(engine, hole), CancelToken())
        said = "".join(one.text for one in outputs if isinstance(one, Text))
        score.exact += said.rstrip() == hole.rest.rstrip()
    score.seconds = time.perf_counter() - started
    return score


def run_complete(engine: Engine, holes: Sequence[Hole]) -> Score:
    """The way of `assistant complete`, but for the daemon."""
    filler, score, started = EngineFiller(engine), Score(count=len(holes)), time.perf_counter()
    for hole in holes:
        outcome = asyncio.run(suggest(Place(hole.text, hole.offset), filler))
        if isinstance(outcome.found, Suggestion):
            score.shown += 1
            lines = applied(hole.text, outcome.found)[len(hole.above) :].split("\n")
            score.exact += lines[0].rstrip() == (hole.typed + hole.rest).rstrip()
    score.seconds = time.perf_counter() - started
    return score


def askable(holes: Sequence[Hole]) -> list[Hole]:
    """Those at which an editor would ask: all arms get the same."""
    return [one for one in holes if isinstance(request_for(Place(one.text, one.offset)), Request)]


def told(name: str, arm: str, score: Score) -> dict[str, object]:
    """Print one row."""
    rate = f"{score.exact:4} of {score.count} exact ({score.exact / score.count:.1%})"
    shown = f", {score.shown} shown" if arm == "complete" else ""
    each = score.seconds / score.count * 1000
    print(f"{name:18} {arm:15} {rate}{shown}, {each:.0f} ms each", flush=True)
    return {"set": name, "arm": arm, **vars(score)}


def main() -> int:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int, default=200, help="lines of each set")
    parser.add_argument("--json", help="write the numbers to this file, too")
    args = parser.parse_args()
    sets = {"the model's world": askable(list(of_the_world(args.limit)))}
    sets["HumanEval"] = askable(published(args.limit))
    rows: list[dict[str, object]] = []
    with Engine(store.embedded_path(), EngineSettings(threads=1)) as engine:
        for name, holes in sets.items():
            for arm, ask in ARMS.items():
                rows.append(told(name, arm, run_arm(engine, ask, holes)))
            rows.append(told(name, "complete", run_complete(engine, holes)))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
