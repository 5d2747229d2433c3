"""What is needed to do something, and not to say that it can be done, is imported later.

An editor waits for the answer to `initialize` before it does anything else; so the modules that
handle requests come after it (`load`), or with the first request if that is sooner.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsp.server import AssistantServer

_named: set[str] = set()


def later(server: AssistantServer, name: str) -> Callable[[Any], Any]:
    """A handler of parameters: the function `module.function`, called with the server and them."""
    _named.add(name)
    return lambda params: _function(name)(server, params)


def load() -> None:
    """Import all that was named.

    Raises:
        AttributeError: there is no such function.
    """
    gc.disable()
    for name in sorted(_named):
        _function(name)
    collect_from_now_on()


def collect_from_now_on() -> None:
    """Look for garbage, but not among what is there now: modules stay.

    A full collection that looks at them takes longer than a keystroke may.
    """
    gc.freeze()
    gc.enable()


def _function(name: str) -> Any:
    module, _, function = name.rpartition(".")
    return getattr(import_module(module), function)
