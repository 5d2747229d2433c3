# mypy: ignore-errors
# ruff: noqa: ANN001, ANN202, B905, F821
"""Lists, dicts, sets and their kin that both processes hold: how they are kept the same.

It runs in the namespace of `peer`. Each side remembers the parts of such a container as they were
when both sides last agreed; a part that is another object now is a change, and goes along with the
next message. A container that one side can not see any more is dropped by both.
"""

from operator import is_


def _kin(kind):
    """The name of a linked kind, or None."""
    return _KINDS.get(kind) or (
        kind.__name__ if type(kind) is type and kind.__name__ in _LATER and _is_kin(kind) else None
    )


def _is_kin(kind):
    return kind is getattr(sys.modules.get("collections"), kind.__name__, None)


_KINDS = {list: "list", dict: "dict", set: "set", bytearray: "bytearray"}
_LATER = {"Counter", "OrderedDict", "defaultdict", "deque"}


def _parts(value):
    if isinstance(value, dict):
        return (*dict.keys(value), *dict.values(value))
    return tuple(value)


def _fill(value, parts):
    if isinstance(value, dict):
        half = len(parts) // 2
        value.clear()
        for key, item in zip(parts[:half], parts[half:]):
            value[key] = item
    elif isinstance(value, (list, bytearray)):
        value[:] = parts
    else:
        value.clear()
        (value.update if isinstance(value, set) else value.extend)(parts)


def _empty(name, extra):
    if name in _LATER:
        made = getattr(__import__("collections"), name)
        if name == "deque":
            return made((), extra)
        return made(extra) if name == "defaultdict" else made()
    return {"list": list, "dict": dict, "set": set, "bytearray": bytearray}[name]()


def _prune():
    """Unlink what nobody here can see any more."""
    count = sys.getrefcount
    for n, entry in list(shared.items()):
        if count(entry[0]) <= _ALONE:
            _unlink(n)
            dropped.append(n)


def _unlink(n):
    entry = shared.pop(n, None)
    if entry is not None:
        numbers.pop(id(entry[0]), None)


def _changes():
    """The text of what has changed in linked containers since the last message."""
    texts = []
    for n, entry in list(shared.items()):
        now = _parts(entry[0])
        before = entry[1]
        if len(now) != len(before) or not all(map(is_, now, before)):
            texts.append(f"[{n}, {_joined(now, 0)}]")
            entry[1] = now
    return texts
