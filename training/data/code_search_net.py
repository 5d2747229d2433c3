"""CodeSearchNet: Python functions with their docstrings, from public repositories.

Two forms of one data set: the original's JSON lines (code, docstring, func_name, language, repo,
url) and the hub's columns (func_code_string, func_documentation_string, func_code_url, ...). The
code holds its docstring, which is taken out of it: else the answer would repeat the task. There
are no tests. The filter is that of CodeXGLUE: docstrings of 3 to 256 words, in English, without
markup and addresses. Each repository has its own licence; the address leads to it.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from training.data.functions import NOT_PYTHON, parse, signature_of, without_docstring
from training.data.rows import BadField, Row, loose_text, text

NAME = "code_search_net"
LEAST_WORDS, MOST_WORDS = 3, 256
_MARKUP = re.compile(r"<img|https?:|^\s*:param", re.IGNORECASE)
_FIELDS = re.compile(r"^\s*(?::\w+|@\w+|Args?:|Arguments:|Parameters|Returns?:|Raises:)", re.M)


def make(place: str, row: dict[str, Any]) -> Row | None:
    """One function; None for one in another language.

    Raises:
        BadField: a field is broken, or the filter leaves the function out.
    """
    language = loose_text(row.get("language")) or "python"
    if language.lower() != "python":
        return None
    code = text(row, "func_code_string" if "func_code_string" in row else "code")
    documented = "func_documentation_string" in row
    docstring = text(row, "func_documentation_string" if documented else "docstring").strip()
    _filter(docstring)
    function = _function(code)
    url = loose_text(row.get("func_code_url")) or loose_text(row.get("url"))
    return Row(
        id=f"code_search_net-{place}",
        statement=docstring,
        solutions=(without_docstring(code, function),),
        source=NAME,
        signature=signature_of(function),
        closing=signature_of(function),
        name=function.name,
        licence="of its repository",
        url=url,
    )


def _filter(docstring: str) -> None:
    """The rules of CodeXGLUE, on the part before the list of parameters."""
    said = docstring[: found.start()] if (found := _FIELDS.search(docstring)) else docstring
    count = len(said.split())
    if count < LEAST_WORDS:
        raise BadField(f"docstring: fewer than {LEAST_WORDS} words")
    if count > MOST_WORDS:
        raise BadField(f"docstring: more than {MOST_WORDS} words")
    if _MARKUP.search(said):
        raise BadField("docstring: markup or an address")
    if not said.isascii():
        raise BadField("docstring: not English letters")


def _function(code: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    try:
        body = parse(code).body
    except NOT_PYTHON as error:
        raise BadField("code: not Python 3") from error
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef):
        raise BadField("code: not one function")
    return body[0]
