"""The names that code in a document may use without binding them itself."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from lsp.python.blocks import FunctionNode, parse

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_STAR_IMPORT = re.compile(r"^[ \t]*from\s+[\w.]+\s+import\s*\*", re.MULTILINE)


@lru_cache(maxsize=2)
def names_in(source: str) -> frozenset[str]:
    """Every name that a document binds anywhere; every word in it when it does not parse.

    Scopes are not told apart: this is for not complaining about names that may well be there.
    """
    tree = parse(source)
    if tree is None:
        return frozenset(_IDENTIFIER.findall(source))
    return frozenset(name for node in ast.walk(tree) for name in _bound(node))


def has_star_import(source: str) -> bool:
    """True when names may come from `from module import *`, so that nobody can list them."""
    return _STAR_IMPORT.search(source) is not None


def _bound(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return [name]
        case ast.ClassDef(name=name):
            return [name]
    return [node.name] if isinstance(node, FunctionNode) else []
