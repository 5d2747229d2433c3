"""Which definitions reach a use, as functions of what reached the code before it.

GraphCodeBERT's extraction walks the body of a loop twice, so that a use sees what the first
round defined; nested loops are walked 2^depth times. But what a piece of code does to one
variable is a small function of the definitions that come in: they are kept or replaced, some
are added, and code that finds none makes one. These functions can be composed and joined, so
each loop body is walked once and its second round is computed (depth 50 is as quick as depth 5).
"""

from __future__ import annotations

from typing import NamedTuple

Tokens = frozenset[int]
_NONE: Tokens = frozenset()


class Effect(NamedTuple):
    """What code does to the definitions of one variable.

    Attributes:
        fresh: the definitions after it where none came in; None: there are still none.
        keeps: definitions that come in are still there afterwards.
        adds: definitions that are there afterwards where some came in.
    """

    fresh: Tokens | None
    keeps: bool
    adds: Tokens


Effects = dict[str, Effect]
"""By name of the variable; a name that is absent is left as it is."""

NOTHING = Effect(None, True, _NONE)


def defines(token: int) -> Effect:
    """An assignment: what came in is replaced."""
    here = frozenset((token,))
    return Effect(here, False, here)


def mentions(token: int) -> Effect:
    """A use: it counts as a definition where there was none."""
    return Effect(frozenset((token,)), True, _NONE)


def then(first: Effect, second: Effect) -> Effect:
    """The effect of one piece of code and then another."""
    if first.fresh is None:
        fresh = second.fresh
    else:
        fresh = first.fresh | second.adds if second.keeps else second.adds
    adds = first.adds | second.adds if second.keeps else second.adds
    return Effect(fresh, first.keeps and second.keeps, adds)


def either(one: Effect, other: Effect) -> Effect:
    """What may be there after one of two pieces of code, or was there in one of two rounds."""
    if one.fresh is None or other.fresh is None:
        fresh = other.fresh if one.fresh is None else one.fresh
    else:
        fresh = one.fresh | other.fresh
    return Effect(fresh, one.keeps or other.keeps, one.adds | other.adds)


def join(branches: list[Effects]) -> Effects:
    """What may be there after one of several branches of an `if`."""
    joined: Effects = {}
    for name in dict.fromkeys(name for branch in branches for name in branch):
        total = branches[0].get(name, NOTHING)
        for branch in branches[1:]:
            total = either(total, branch.get(name, NOTHING))
        joined[name] = total
    return joined


def repeat(before: Effects, body: Effects) -> None:
    """Run a loop's body twice after `before`, which becomes the effects after the loop."""
    for name, effect in body.items():
        before[name] = then(before.get(name, NOTHING), then(effect, effect))


def in_loop(use: Effect, before: Effect, body: Effect) -> Effect:
    """What reaches a use in a loop's body in either of its two rounds.

    Args:
        use: what reaches it, as a function of what comes into the body.
        before: of the same variable, up to the loop.
        body: of the same variable, the whole body.
    """
    return either(then(before, use), then(then(before, body), use))
