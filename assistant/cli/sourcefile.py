"""Reading a file of source code that a command line names: bounded, and as Python would read it."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass

from assistant.errors import UsageProblem

MAX_BYTES = 4 << 20
"""More than any module that a person writes; what is larger is data or a mistake."""

_SUFFIXES = {
    "c": "c h",
    "c++": "cc cpp cxx hpp",
    "c#": "cs",
    "javascript": "js mjs cjs jsx",
    "julia": "jl",
    "jupyter notebook": "ipynb",
    "kotlin": "kt",
    "markdown": "md",
    "ruby": "rb",
    "rust": "rs",
    "shell": "sh bash zsh",
    "typescript": "ts tsx",
    "yaml": "yaml yml",
}
_LANGUAGES = {suffix: name for name, all_of in _SUFFIXES.items() for suffix in all_of.split()}
"""Those whose name is another than their suffix."""
_PYTHON = (".py", ".pyw", ".pyi", "")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The text of a file, or why it is no text that Python would read."""

    text: str
    language: str
    module: str
    """What an import of the file would call it."""
    problem: str = ""
    """As Python's own `SyntaxError` would say it."""


def read_source(path: str) -> SourceFile:
    """Read the file, or standard input for `-`.

    Raises:
        UsageProblem: there is no such file, it is none that can be read to an end, or too large.
    """
    if path == "-":
        return _decoded(_from_stdin(), "python", "answer")
    stem = os.path.splitext(os.path.basename(path))[0]  # noqa: PTH119, PTH122 (pathlib costs its import)
    body = _from_file(path)
    language = language_of(path)
    if language != "python":
        # Text enough for a grammar, whatever it is; the encoding is not this check's matter.
        return SourceFile(body.decode("utf-8-sig", "replace"), language, stem)
    return _decoded(body, language, stem if stem.isidentifier() else "answer")


def language_of(path: str) -> str:
    """The language of a file by its name, in lower case; without a suffix it is Python."""
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    return "python" if suffix in _PYTHON else _LANGUAGES.get(suffix[1:], suffix[1:])


def read_text(path: str) -> tuple[str, str]:
    """A file's text as an editor shows it, each line with its own ending; and what is odd about it.

    Raises:
        UsageProblem: as `read_source`, or it is no text.
    """
    body = _from_file(path)
    if b"\0" in body:
        raise UsageProblem(f"The file {path} holds zero bytes; it is no text.")
    try:
        return body.decode(_encoding(body, language_of(path))), ""
    except (UnicodeDecodeError, LookupError, SyntaxError):
        # Any byte is some character there, so that lines and columns stay what they are.
        return body.decode("latin-1"), f"{path} is not UTF-8; it is read as Latin-1."


def _encoding(body: bytes, language: str) -> str:
    """By its byte order mark and, for Python, its coding cookie (PEP 263)."""
    if language != "python" or b"coding" not in body[:4096]:
        return "utf-8-sig"
    import io
    import tokenize

    return tokenize.detect_encoding(io.BytesIO(body).readline)[0]


def _from_file(path: str) -> bytes:
    try:
        # Without waiting: a pipe that nobody writes to would never open.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageProblem(
            f"The file {path} can not be read: {reason}.", hint=_hint_for(path)
        ) from error
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise UsageProblem(
            f"{path} is {kind}, not a file of source code.",
            hint="Name one file of source code.",
        )
    with open(fd, "rb") as file:  # noqa: PTH123 (it is open already)
        return _bounded(file.read(MAX_BYTES + 1), f"The file {path}")


def _hint_for(path: str) -> str:
    """A name that is close to one in the same folder is likely a slip."""
    import difflib

    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208
    except OSError:
        return "Check the path."
    near = difflib.get_close_matches(name.partition("::")[0], names, n=1)
    return f"Did you mean {os.path.join(folder, near[0])}?" if near else "Check the path."  # noqa: PTH118


def _from_stdin() -> bytes:
    if sys.stdin is None:
        raise UsageProblem("The code was to come on stdin, and stdin is closed.")
    return _bounded(sys.stdin.buffer.read(MAX_BYTES + 1), "The code on stdin")


def _bounded(body: bytes, what: str) -> bytes:
    if len(body) > MAX_BYTES:
        raise UsageProblem(
            f"{what} is larger than {MAX_BYTES >> 20} MiB, too large to be checked.",
            hint="Put the function into a module of its own.",
        )
    return body


def _decoded(body: bytes, language: str, module: str) -> SourceFile:
    """The text, by its byte order mark and coding cookie (PEP 263); every line ends in `\\n`."""
    try:
        if any(b"coding" in line for line in body[:4096].split(b"\n", 2)[:2]):
            from importlib.util import decode_source

            text = decode_source(body)
        else:
            text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        problem = f"SyntaxError at line {line}: a byte (0x{body[error.start]:02x}) that is "
        return SourceFile("", language, module, f"{problem}not {error.encoding}")
    except (SyntaxError, LookupError) as error:
        return SourceFile("", language, module, f"SyntaxError: {error}")
    return SourceFile(text.replace("\r\n", "\n").replace("\r", "\n"), language, module)
