"""Which lines of Python code begin inside a string: their white space is part of a value."""

from __future__ import annotations

import io
import tokenize


def lines_inside_strings(code: str) -> set[int]:
    """Lines, from 0, whose beginning belongs to a Python string literal of an earlier line.

    Of code that does not parse, those that can be read.
    """
    inside: set[int] = set()
    opened: list[int] = []  # f-strings are several tokens from Python 3.12 on
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            name = tokenize.tok_name[token.type]
            if name == "STRING":
                inside.update(range(token.start[0], token.end[0]))
            elif name.endswith("STRING_START"):
                opened.append(token.start[0])
            elif name.endswith("STRING_END"):
                inside.update(range(opened.pop(), token.end[0]))
    except (tokenize.TokenError, SyntaxError):
        pass
    return inside
