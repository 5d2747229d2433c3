"""A line of code at a glance: its indentation, its brackets, does it begin a block.

This is no parser: it reads code that is being written, in any language, and a wrong guess costs a
line too much or too little.
"""

from __future__ import annotations

import re

TAB = 8
"""Columns of a tab, as Python counts it."""
_CLOSING = {")": "(", "]": "[", "}": "{"}
_HASH = ("python", "ruby", "shell", "yaml", "toml", "perl", "r", "julia", "makefile", "dockerfile")
_WORDS = re.compile(r"(?:^|\W)(?:then|do|begin|else|try|repeat)\s*$")
_LIFETIMES = ("rust", "haskell", "ocaml", "clojure", "julia", "matlab", "vhdl", "markdown", "text")
"""Where an apostrophe alone begins no text."""
_WORDS_BEFORE = (
    r"\s*(?:(?:pub|export|default|public|private|protected|static|async|unsafe|local)\s+)*"
)
_FUNCTION = re.compile(_WORDS_BEFORE + r"(?:def|fn|func|fun|function)\b")
_CLASS = re.compile(
    _WORDS_BEFORE + r"(?:class|impl|trait|interface|struct|enum|module|namespace)\b"
)
_BY_COLON = ("python", "yaml", "nim")
_BY_WORD = ("ruby", "lua", "shell", "julia", "elixir", "pascal", "fish")


def indentation(line: str) -> str:
    """The white space that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def columns(line: str) -> int:
    """How far a line is indented, a tab reaching to the next multiple of eight."""
    return len(indentation(line).expandtabs(TAB))


def code_of(line: str, language: str) -> str:
    """A line without strings' content and without its comment: for brackets and last characters."""
    marker = "#" if language in _HASH else "--" if language in ("lua", "sql", "haskell") else "//"
    out: list[str] = []
    quote, index = "", 0
    while index < len(line):
        one = line[index]
        if quote:
            if one == "\\":
                index += 1
            elif one == quote:
                quote = ""
                out.append(one)
        elif line.startswith(marker, index):
            break
        else:
            alone = one == "'" and language in _LIFETIMES and "'" not in line[index + 1 :]
            if one in "\"`'" and not alone:
                quote = one
            out.append(one)
        index += 1
    return "".join(out)


def balance(code: str) -> tuple[int, int]:
    """Brackets that are closed without having been opened, and those that are left open."""
    closed, opened = 0, list[str]()
    for one in code:
        if one in "([{":
            opened.append(one)
        elif one in _CLOSING:
            if opened and opened[-1] == _CLOSING[one]:
                opened.pop()
            elif not opened:
                closed += 1
    return closed, len(opened)


def opens_block(line: str, language: str) -> bool:
    """Whether what belongs to the line follows it on lines that are indented more."""
    code = code_of(line, language).rstrip()
    if not code:
        return False
    if language in _BY_COLON and code.endswith(":"):
        return balance(code)[1] == 0
    if language in _BY_WORD and _WORDS.search(code):
        return True
    return code[-1] in "{" or code.endswith("=>")


def begins_function(line: str) -> bool:
    """Whether a function begins in the line."""
    return _FUNCTION.match(line) is not None


def begins_class(line: str) -> bool:
    """Whether a class begins in the line, or what other languages have of that kind."""
    return _CLASS.match(line) is not None


def unfinished(lines: str, language: str) -> bool:
    """Whether a bracket is open at the end of some lines, or the last says that it goes on."""
    codes = [code_of(line, language) for line in lines.split("\n")]
    return balance("\n".join(codes))[1] > 0 or codes[-1].rstrip().endswith("\\")
