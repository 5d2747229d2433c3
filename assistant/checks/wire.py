"""The parent's look at every frame between the tests' process and the code's.

What passes is re-written from what was parsed, so both processes read the same thing; a frame
that is not of the protocol (`inside/peer.py`) ends the check.
"""

from __future__ import annotations

import json
from typing import Any

_PLAIN = set("tdsxfbBScFrETN") | {
    *("Counter", "OrderedDict", "defaultdict", "deque", "Fraction", "Decimal"),
    *("date", "time", "datetime", "timedelta", "timezone", "slice"),
}
_OBJECTS = {"@": 0, "h": 0, "M": 4, "O": 2, "C": 3, "X": 4, "R": 2}
_OPERATIONS = frozenset(
    {
        *("call", "get", "set", "del", "item", "special", "isinstance", "issubclass", "dir"),
        *("await", "copy", "deepcopy", "plain", "replace"),
    }
)


class Unsound(Exception):
    """A frame that the protocol does not know."""


def read(frame: bytes) -> list[Any]:
    """The checked content of a frame: a question, an answer, or a report (kind `!`).

    Raises:
        Unsound: it is no frame of the protocol.
    """
    try:
        tree = json.loads(frame.decode("ascii"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Unsound("bytes that are no message") from None
    if not isinstance(tree, list) or not tree:
        raise Unsound("a message of another shape")
    if tree[0] == "!" and len(tree) == 2 and isinstance(tree[1], dict):
        return tree
    if tree[0] not in ("?", "=") or len(tree) != 6 or not isinstance(tree[1], str):
        raise Unsound("a message of another shape")
    _, _, gone, changed, unused, body = tree
    _numbers(gone)
    _numbers(unused)
    if not isinstance(changed, list) or not all(map(_is_change, changed)):
        raise Unsound("changes of another shape")
    _check_body(tree[0], body)
    _values([parts for _, parts in changed])
    return tree


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _numbers(values: Any) -> None:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise Unsound("numbers of another shape")


def _is_change(change: Any) -> bool:
    return isinstance(change, list) and len(change) == 2 and type(change[0]) is int


def _check_body(kind: str, body: Any) -> None:
    if not isinstance(body, list) or len(body) < 2:
        raise Unsound("a body of another shape")
    if kind == "?":
        sound = len(body) == 2 and body[0] in _OPERATIONS
    elif body[0] == "raise":
        sound = len(body) == 3 and type(body[2]) is int
    else:
        sound = len(body) == 2 and body[0] == "ok"
    if not sound:
        raise Unsound("a body of another shape")
    _values(body[1])


def _values(tree: Any) -> None:
    """Every tagged value has exactly one known tag, and every object has its number."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            if len(node) != 1:
                raise Unsound("a value with more than one tag")
            ((tag, inner),) = node.items()
            if tag in _OBJECTS:
                _check_object(tag, inner)
            elif tag not in _PLAIN:
                raise Unsound("a value with an unknown tag")
            pending.append(inner)


def _check_object(tag: str, inner: Any) -> None:
    fields = _OBJECTS[tag]
    if fields == 0:
        sound = type(inner) is int
    else:
        sound = isinstance(inner, list) and len(inner) == fields
        sound = sound and (tag == "R" or type(inner[0]) is int)
    if sound and tag == "C":
        sound = _is_description(inner[1]) and isinstance(inner[2], list)
    if not sound:
        raise Unsound("an object of another shape")


def _is_description(said: Any) -> bool:
    if not isinstance(said, list) or len(said) != 4:
        return False
    name, qualname, module, specials = said
    texts = [name, qualname, module]
    return (
        all(isinstance(text, str) and len(text) <= 1000 for text in texts)
        and isinstance(specials, list)
        and all(isinstance(special, str) for special in specials)
        and len(specials) <= 200
    )
