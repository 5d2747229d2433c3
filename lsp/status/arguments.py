"""The one argument object of a command."""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams


def argument_of(params: types.ExecuteCommandParams, **kinds: type) -> dict[str, Any]:
    """The argument's entries; those that are missing or null are not in it.

    Args:
        params: of the command.
        kinds: the entries that it may have, by name.

    Raises:
        JsonRpcInvalidParams: it is something else than such an object.
    """
    given = list(params.arguments or [])
    entries = given[0] if given else {}
    names = ", ".join(kinds) or "nothing"
    if len(given) > 1 or not (entries is None or isinstance(entries, dict)):
        raise JsonRpcInvalidParams(f"{params.command} takes one object with: {names}.")
    found = {}
    for name, value in (entries or {}).items():
        kind = kinds.get(name)
        if kind is None or not (value is None or type(value) is kind):
            raise JsonRpcInvalidParams(
                f"{params.command}: {name!r} does not fit; it takes {names}."
            )
        if value is not None:
            found[name] = value
    return found
