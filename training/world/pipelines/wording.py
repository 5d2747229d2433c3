"""What a pipeline does, in words: as one phrase or as a series of orders."""

from __future__ import annotations

from random import Random

from training.world.draft import Wording
from training.world.pipelines.blocks import Filter, Map, Reducer
from training.world.pipelines.spec import Spec


def _pick(rng: Random | None, options: tuple[str, ...]) -> str:
    return options[0] if rng is None else rng.choice(options)


def noun_phrase(spec: Spec, rng: Random | None, refs: tuple[str, ...]) -> str:
    """ "the squares of the even numbers in nums": source, filters and maps as one phrase."""
    source = spec.source
    noun = _pick(rng, source.nouns)
    adjectives: list[str] = []
    relatives: list[str] = []
    rest = list(spec.ops)
    while rest:
        block, values = rest[0]
        if not isinstance(block, Filter):
            break
        del rest[0]
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
            among = (
                "those of {np} {rel}"
                if rng is None
                else rng.choice(
                    (
                        "those of {np} {rel}",
                        "the ones among {np} {rel}",
                        "the results {rel} among {np}",
                    )
                )
            )
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
            text = (
                f"any of {np} {predicate.be}"
                if rng is None or rng.random() < 0.5
                else (f"at least one of {np} is among those {relative}")
            )
        return Wording("clause", text.format(**values))
    if end.verbs and rng is not None and rng.random() < 0.3:
        return Wording("verb", rng.choice(end.verbs).format(np=np, **values))
    text = _pick(rng, end.np).format(np=np, np_bare=_bare(np), **values)
    return Wording("clause" if end.clause else "np", text)


_KEEPS = (
    "keep only those {rel}",
    "keep the ones {rel}",
    "pick the ones {rel}",
    "select those {rel}",
    "drop everything except those {rel}",
    "take only the ones {rel}",
    "filter for those {rel}",
)
_OPENINGS = (
    "Take {np}",
    "Go through {np}",
    "Start with {np}",
    "From {np}",
    "Given {np}",
    "Look at {np}",
)


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
