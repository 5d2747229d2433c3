"""The checks that run nothing: is it Python, and does every name that it reads exist."""

from __future__ import annotations

from collections.abc import Collection

from assistant.checks.names import Undefined, undefined_names
from assistant.checks.parsing import parse_error
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.outcomes import Outcome


def examine(
    code: str, language: str = "python", known_names: Collection[str] = ()
) -> CheckResult | None:
    """The verdict on code that need not be run to be refused; None when nothing speaks against it.

    Args:
        code: a whole module.
        language: of the code, in lower case.
        known_names: names that the place provides which the code is meant for.
    """
    if language != "python":
        from assistant.checks.languages import examine_other

        return examine_other(code, language)
    if (problem := parse_error(code)) is not None:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(problem), "SyntaxError")
    if undefined := undefined_names(code, known_names):
        return CheckResult(Outcome.ERROR, NOTHING_RAN, listed(undefined), "NameError")
    return None


def listed(undefined: list[Undefined], most: int = 3) -> str:
    """The first of the names, in words; a model that goes astray can make up hundreds."""
    rest = len(undefined) - most
    more = [f"and {rest} more"] if rest > 0 else []
    return "; ".join([*map(str, undefined[:most]), *more])
