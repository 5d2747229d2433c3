"""What can be said about generated code before anybody uses it.

The order is fixed, and the first finding is the verdict:

1. `parsing`: the code is Python at all, else `error`;
2. `names`: every name that it reads is bound somewhere, else `error`;
3. with tests it runs (`apart`): the code in one sandbox, the tests in another;
4. without tests the examples in its docstrings are run (`doctests`), if it has some;
5. else `parsed`: nothing more could be said.

What is run is run in a sandbox, and what came of it is judged here: `pass`, `wrong` (an assertion
of the tests failed), `error` (anything was raised), `timeout`, `memory`, `output limit`, `crash`,
`protocol violation`, `not checked` with the reason, or `sandbox unavailable`.

Other languages are parsed where a tree-sitter grammar of theirs is installed (`languages`), else
they are `not checked`, as is everything when the checks are switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.checks.apart import run_asserts, run_check, run_tests
    from assistant.checks.judge import check, check_many
    from assistant.checks.names import Undefined, undefined_names
    from assistant.checks.parsing import ParseError, parse_error
    from assistant.checks.result import NOTHING_RAN, CheckResult
    from assistant.checks.testfile import TestFile, read_tests
    from assistant.sandbox import Limits

__all__ = [
    "NOTHING_RAN",
    "CheckResult",
    "Limits",
    "ParseError",
    "TestFile",
    "Undefined",
    "check",
    "check_many",
    "parse_error",
    "read_tests",
    "run_asserts",
    "run_check",
    "run_tests",
    "undefined_names",
]

_HOMES = {
    **dict.fromkeys(("run_asserts", "run_check", "run_tests"), "assistant.checks.apart"),
    **dict.fromkeys(("check", "check_many"), "assistant.checks.judge"),
    **dict.fromkeys(("Undefined", "undefined_names"), "assistant.checks.names"),
    **dict.fromkeys(("ParseError", "parse_error"), "assistant.checks.parsing"),
    **dict.fromkeys(("NOTHING_RAN", "CheckResult"), "assistant.checks.result"),
    **dict.fromkeys(("TestFile", "read_tests"), "assistant.checks.testfile"),
    "Limits": "assistant.sandbox",
}


def __getattr__(name: str) -> Any:
    """Each name from its module when it is asked for: one check needs a few of them, not all."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
