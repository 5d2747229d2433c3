"""Are two values the same? The comparison behind every verdict on calls; it runs nothing.

`got` is plain data from `values.decode`: no object of the answer, so no `__eq__` of its own.

STRICT: the types must agree everywhere (True, 1 and 1.0 are three values), then the values as
`==` has it. PYTHON: as `==` on plain data, as benchmarks' own asserts have it.

Both: the order in a dict counts only between two OrderedDicts; 0.0 equals -0.0; nan equals
nothing, or nan alone when asked; a tolerance applies where `want` is a float or complex and `got`
a number, never to elements of sets and keys of dicts: |got - want| <= abs_tol + rel_tol * |want|.
"""

from __future__ import annotations

import cmath
import collections
import decimal
import enum
from typing import Any

_SETS = (set, frozenset)
_SEQUENCES = (list, tuple, collections.deque)
_DICTS = (dict, collections.Counter, collections.OrderedDict, collections.defaultdict)
_CONTAINERS = frozenset((*_SETS, *_SEQUENCES, *_DICTS))
_NUMBERS = (int, float, complex)
_NAN = object()


class Equality(enum.Enum):
    """What counts as the same."""

    STRICT = "strict"
    PYTHON = "python"


def same(
    got: Any,
    want: Any,
    *,
    equality: Equality = Equality.STRICT,
    rel_tol: float = 0.0,
    abs_tol: float = 0.0,
    nan_equal: bool = False,
) -> bool:
    """Whether `got` is `want`.

    Args:
        got: plain data, from a stranger.
        want: what is expected, from us.
        equality: see the module.
        rel_tol: tolerance relative to the expected number.
        abs_tol: tolerance in absolute terms.
        nan_equal: whether nan equals nan.
    """
    strict = equality is Equality.STRICT
    pending = [(got, want)]
    while pending:  # no recursion: what is compared may be nested as deep as it likes
        left, right = pending.pop()
        if type(right) in _CONTAINERS:
            inner = _inner(left, right, strict, nan_equal)
            if inner is None:
                return False
            pending += inner
        elif not _leaf(left, right, strict, rel_tol, abs_tol, nan_equal):
            return False
    return True


def _inner(got: Any, want: Any, strict: bool, nan_equal: bool) -> list[tuple[Any, Any]] | None:
    """The pairs that have to be the same for two containers to be, or None when these can not."""
    mine, theirs = type(got), type(want)
    if strict and mine is not theirs:
        return None
    if theirs in _SEQUENCES:
        if mine is not theirs or len(got) != len(want):
            return None
        return list(zip(got, want, strict=True))
    if theirs in _DICTS:
        return _items(got, want, strict, nan_equal) if mine in _DICTS else None
    if mine not in _SETS or len(got) != len(want):
        return None
    keys = ({_key(item, strict, nan_equal) for item in side} for side in (got, want))
    return [] if next(keys) == next(keys) else None


def _items(got: Any, want: Any, strict: bool, nan_equal: bool) -> list[tuple[Any, Any]] | None:
    kinds = {type(got), type(want)}
    if kinds == {collections.Counter}:  # to which an element that it lacks is one that counts 0
        got, want = ({k: v for k, v in side.items() if v != 0} for side in (got, want))
    if len(got) != len(want):
        return None
    mine = [(_key(key, strict, nan_equal), value) for key, value in got.items()]
    theirs = [(_key(key, strict, nan_equal), value) for key, value in want.items()]
    if kinds == {collections.OrderedDict} and [k for k, _ in mine] != [k for k, _ in theirs]:
        return None
    found = dict(mine)
    if any(key not in found for key, _ in theirs):
        return None
    return [(found[key], value) for key, value in theirs]


def _key(value: Any, strict: bool, nan_equal: bool) -> Any:
    """Something hashable that is equal for elements that are the same, and for no others."""
    kind = type(value)
    if kind is str:
        return value
    if _is_nan(value):
        return _NAN if nan_equal else object()
    inner: Any = value
    if kind is tuple:
        inner = tuple([_key(item, strict, nan_equal) for item in value])
    elif kind is frozenset:
        inner = frozenset([_key(item, strict, nan_equal) for item in value])
    return (kind, inner) if strict else inner


def _is_nan(value: Any) -> bool:
    kind = type(value)
    if kind is decimal.Decimal:
        return bool(value.is_nan())
    return kind in (float, complex) and value != value


def _leaf(
    got: Any, want: Any, strict: bool, rel_tol: float, abs_tol: float, nan_equal: bool
) -> bool:
    mine, theirs = type(got), type(want)
    if strict and mine is not theirs:
        return False
    if _is_nan(want):
        return nan_equal and _is_nan(got)
    try:
        if got == want:
            return True
        if not (rel_tol or abs_tol) or theirs not in (float, complex) or mine not in _NUMBERS:
            return False
        if not (cmath.isfinite(got) and cmath.isfinite(want)):
            return False
        return bool(abs(got - want) <= abs_tol + rel_tol * abs(want))
    except ArithmeticError:  # an int beyond every float, a signalling nan
        return False
