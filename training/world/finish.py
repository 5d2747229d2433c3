"""What can be put around any function: a guard before it, a change of its result after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from training.world.constants import draw_constants
from training.world.draft import Draft, Refs, Wording


@dataclass(frozen=True)
class Post:
    """Changes the result; `{r}` in `expr` is the variable that holds it."""

    key: str
    accepts: tuple[str, ...]
    out: str
    expr: str
    np: tuple[str, ...]
    then: tuple[str, ...]
    step: str
    constants: dict[str, str] = field(default_factory=dict)
    clause: bool = False


POSTS: tuple[Post, ...] = (
    Post(
        "plus",
        ("int",),
        "int",
        "{r} + {k}",
        ("{w} plus {k}", "{w}, increased by {k}"),
        ("then add {k}", "add {k} to the result"),
        "plus {k}",
        {"k": "small"},
    ),
    Post(
        "times",
        ("int",),
        "int",
        "{r} * {k}",
        ("{k} times {w}", "{w}, multiplied by {k}"),
        ("then multiply by {k}", "multiply the result by {k}"),
        "times {k}",
        {"k": "small"},
    ),
    Post(
        "mod",
        ("int",),
        "int",
        "{r} % {k}",
        ("{w}, modulo {k}", "the remainder of {w} divided by {k}"),
        ("then take it modulo {k}", "take the result modulo {k}"),
        "modulo {k}",
        {"k": "divisor"},
    ),
    Post(
        "squared",
        ("int",),
        "int",
        "{r} * {r}",
        ("the square of {w}", "{w}, squared"),
        ("then square the result",),
        "squared",
    ),
    Post(
        "over",
        ("int",),
        "bool",
        "{r} > {t}",
        ("{w} is greater than {t}", "{w} exceeds {t}", "{w} is more than {t}"),
        ("then check whether it is greater than {t}",),
        "greater than {t}",
        {"t": "big"},
        True,
    ),
    Post(
        "even",
        ("int",),
        "bool",
        "{r} % 2 == 0",
        ("{w} is even", "{w} is divisible by 2"),
        ("then check whether the result is even",),
        "even",
        clause=True,
    ),
    Post(
        "equals",
        ("int",),
        "bool",
        "{r} == {t}",
        ("{w} is {t}", "{w} equals {t}"),
        ("then check whether it equals {t}",),
        "equal to {t}",
        {"t": "small"},
        True,
    ),
    Post(
        "cap",
        ("int",),
        "int",
        "min({r}, {t})",
        ("{w}, but at most {t}", "{w}, capped at {t}"),
        ("then cap the result at {t}",),
        "at most {t}",
        {"t": "big"},
    ),
    Post(
        "atleast",
        ("int",),
        "int",
        "max({r}, {t})",
        ("{w}, but at least {t}", "{w}, not less than {t}"),
        ("then raise the result to at least {t}",),
        "at least {t}",
        {"t": "big"},
    ),
    Post(
        "string",
        ("int",),
        "str",
        "str({r})",
        ("{w} as a string", "{w}, converted to a string"),
        ("then convert the result to a string",),
        "as a string",
    ),
    Post(
        "label",
        ("int", "str"),
        "str",
        "{s!r} + str({r})",
        ("{w} as a string with {s!r} in front",),
        ("then put {s!r} in front of it as a string",),
        "{s!r} in front",
        {"s": "affix"},
    ),
    Post(
        "upper",
        ("str",),
        "str",
        "{r}.upper()",
        ("{w}, in uppercase", "{w}, all in upper case"),
        ("then convert the result to uppercase",),
        "in uppercase",
    ),
    Post(
        "backwards",
        ("str",),
        "str",
        "{r}[::-1]",
        ("{w}, reversed", "{w}, read backwards"),
        ("then reverse the result",),
        "reversed",
    ),
    Post(
        "len",
        ("str", "list", "dict"),
        "int",
        "len({r})",
        ("the length of {w}", "the size of {w}"),
        ("then return the length of the result",),
        "length",
    ),
    Post(
        "repeat",
        ("str",),
        "str",
        "{r} * {k}",
        ("{w}, repeated {k} times",),
        ("then repeat the result {k} times",),
        "{k} times",
        {"k": "few"},
    ),
    Post(
        "suffix",
        ("str",),
        "str",
        "{r} + {s!r}",
        ("{w}, followed by {s!r}", "{w} with {s!r} at the end"),
        ("then append {s!r}",),
        "plus {s!r}",
        {"s": "affix"},
    ),
    Post(
        "cut",
        ("str", "list"),
        "same",
        "{r}[:{k}]",
        ("the first {k} items of {w}", "{w}, cut to {k} items"),
        ("then keep the first {k}",),
        "first {k}",
        {"k": "few"},
    ),
    Post(
        "turned",
        ("list",),
        "list",
        "{r}[::-1]",
        ("{w}, in reverse", "{w}, turned around"),
        ("then reverse the list",),
        "reversed",
    ),
    Post(
        "sorted",
        ("list",),
        "list",
        "sorted({r})",
        ("{w}, sorted at the end",),
        ("then sort the result",),
        "sorted",
    ),
    Post(
        "keys",
        ("dict",),
        "list",
        "sorted({r})",
        ("the sorted keys of {w}",),
        ("then return the sorted keys",),
        "its sorted keys",
    ),
    Post(
        "not",
        ("bool",),
        "bool",
        "not {r}",
        ("it is not the case that {w}", "it is false that {w}"),
        ("then negate the answer",),
        "negated",
        clause=True,
    ),
)
_FALLBACKS: dict[str, tuple[object, ...]] = {
    "int": (0, -1, None, 1, -99, 100),
    "float": (0, None, -1),
    "bool": (False, None, True),
    "str": ("", None, "none", "empty", "-"),
    "list": ([], None),
    "dict": ({}, None),
}


def _unreturned(steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps with the last one no longer the end."""
    *first, last = steps
    if last.startswith("Return "):
        last = "Take " + last.removeprefix("Return ")
    return (*first, last)


def add_post(draft: Draft, rng: Random) -> Draft:
    """The function with its result changed; unchanged when nothing fits."""
    single = sum("return" in line for line in draft.lines) == 1
    last = draft.lines[-1]
    choices = [p for p in POSTS if draft.out in p.accepts]
    if not single or not choices or not last.startswith("return ") or draft.recursive:
        return draft
    if " if " in last and " else " in last and " for " not in last.split(" else ")[-1]:
        return draft  # the fallback may be of another type than the rest
    post = rng.choice(choices)
    values = draw_constants(post.constants, rng)
    value = last.removeprefix("return ")
    name = value
    lines = list(draft.lines[:-1])
    if not value.isidentifier():
        name = next(n for n in ("answer", "found", "outcome") if n not in draft.params)
        lines.append(f"{name} = {value}")
    expr = post.expr.format(r=name, **values)
    lines.append(f"return {expr}")

    def word(rng: Random | None, refs: Refs) -> Wording:
        said = draft.word(rng, refs)
        if said.kind in ("sequence", "verb"):
            then = (rng.choice(post.then) if rng else post.then[0]).format(**values)
            return Wording(said.kind, f"{said.text}, {then}")
        template = rng.choice(post.np) if rng else post.np[0]
        return Wording(
            "clause" if post.clause else said.kind, template.format(w=said.text, **values)
        )

    gloss = post.step.format(**values)
    return draft.changed(
        primitives=(*draft.primitives, f"post.{post.key}"),
        lines=tuple(lines),
        steps=(*_unreturned(draft.steps), f"Return {name}, {gloss}: {expr}."),
        out=draft.out if post.out == "same" else post.out,
        constants=(*draft.constants, *values.values()),
        base_name=f"{draft.base_name}_{post.key}",
        word=word,
    )


def add_guard(draft: Draft, rng: Random) -> Draft:
    """The function with a value of its own for empty input."""
    kinds = ("ints", "words", "text", "rows", "scores", "word", "posints", "records")
    if draft.kinds[0] not in kinds or draft.recursive or draft.lines[0].startswith("if not "):
        return draft
    fallback = rng.choice(_FALLBACKS.get(draft.out, (None, 0, -1)))
    param = draft.params[0]

    def word(rng: Random | None, refs: Refs) -> Wording:
        said = draft.word(rng, refs)
        noun = refs[0] if " " not in refs[0] else "the input"
        forms = (
            "; if {p} is empty, return {v}",
            ", or {v} if {p} is empty",
            " ({v} for empty input)",
            ". For empty input return {v}",
            ". Return {v} when {p} is empty",
        )
        template = forms[0] if rng is None else rng.choice(forms)
        if said.kind == "clause" or said.kind in ("sequence", "verb"):
            template = forms[0] if rng is None else rng.choice((forms[0], forms[3], forms[4]))
        return Wording(said.kind, said.text + template.format(p=noun, v=repr(fallback)))

    return draft.changed(
        primitives=("guard.empty", *draft.primitives),
        lines=(f"if not {param}:", f"    return {fallback!r}", *draft.lines),
        steps=(f"If {param} is empty, return {fallback!r}.", *draft.steps),
        nonempty=False,
        word=word,
    )
