"""The Python grammar of tree-sitter, loaded when the first program is parsed.

The grammar's version changes the scores (codebleu.md, D10), so it is pinned exactly in
pyproject.toml and written into every result.
"""

from __future__ import annotations

import functools
from importlib import metadata
from typing import TYPE_CHECKING

from assistant.errors import StateProblem

if TYPE_CHECKING:
    import tree_sitter


@functools.cache
def _parser() -> tree_sitter.Parser:
    try:
        import tree_sitter
        import tree_sitter_python
    except ImportError as error:
        raise StateProblem(
            f"The structural scores need tree-sitter's Python grammar: {error}.",
            hint="pip install -c constraints.txt tree-sitter tree-sitter-python",
        ) from error
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))


def parse(source: bytes) -> tree_sitter.Tree:
    """Parse Python source in UTF-8. Broken source gives a tree too, with ERROR nodes.

    Raises:
        StateProblem: tree-sitter or its grammar is not installed.
    """
    return _parser().parse(source)


def versions() -> dict[str, str]:
    """Versions of tree-sitter and of the grammar, by the names of their distributions."""
    return {name: metadata.version(name) for name in ("tree-sitter", "tree-sitter-python")}
