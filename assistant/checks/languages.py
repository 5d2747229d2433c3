"""Code in other languages than Python: parsed where its tree-sitter grammar is installed.

A grammar is a package named after its language (`tree-sitter-rust`); nothing has to be told here
to use one. It parses in the trusted process and runs nothing. What it accepts is what its authors
think of the language: a verdict of it says where the first error is, and no more.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from assistant.checks.parsing import ParseError
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.outcomes import Outcome

if TYPE_CHECKING:
    import tree_sitter

# Languages whose grammar has another name than theirs.
_NAMES = {"c#": "c_sharp", "c++": "cpp", "shell": "bash", "objective-c": "objc"}


def examine_other(code: str, language: str) -> CheckResult:
    """The verdict on `code` in `language` (in lower case): `parsed`, `error` or `not checked`."""
    name = _NAMES.get(language, language.replace("-", "_"))
    parser = _parser(name) if name.isidentifier() else None
    if parser is None:
        package = f"tree-sitter-{name.replace('_', '-')}"
        why = f"no checks for {language} without its grammar ({package})"
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, why)
    body = code.encode("utf-8", "surrogatepass")
    tree = parser.parse(body)
    if tree.root_node.has_error:
        problem = _first_error(tree.root_node, body)
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(problem), "SyntaxError")
    said = f"it parses as {language}; nothing more is checked for it"
    return CheckResult(Outcome.PARSED, NOTHING_RAN, said)


@functools.cache
def _parser(name: str) -> tree_sitter.Parser | None:
    import importlib

    try:
        import tree_sitter

        grammar: Any = importlib.import_module(f"tree_sitter_{name}")
        # A package may hold several, as that of TypeScript does.
        language = getattr(grammar, "language", None) or getattr(grammar, f"language_{name}")
        return tree_sitter.Parser(tree_sitter.Language(language()))
    except (ImportError, AttributeError, ValueError):  # ValueError: for another tree-sitter
        return None


def _first_error(root: tree_sitter.Node, body: bytes) -> ParseError:
    """The first place, in the order of the text, that the grammar makes nothing of."""
    node = root
    while not (node.is_error or node.is_missing):
        broken = [child for child in node.children if child.has_error]
        if not broken:
            break
        node = broken[0]
    before = body[: node.start_byte]
    row, column = before.count(b"\n"), before.rpartition(b"\n")[2].decode("utf-8", "ignore")
    reason = f"{node.type} is missing" if node.is_missing else "invalid syntax"
    return ParseError(reason, row + 1, len(column) + 1)
