"""Is it Python at all? The first check; it runs nothing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParseError:
    """Where and why code does not parse; line and column count from 1, 0 when unknown."""

    reason: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """The error as one line for a person."""
        if not self.line:
            return f"SyntaxError: {self.reason}"
        column = f", column {self.column}" if self.column else ""
        return f"SyntaxError at line {self.line}{column}: {self.reason}"


def parse_error(code: str) -> ParseError | None:
    """Why `code` is not a Python module, or None when it is one.

    The compiler is asked, not only the parser, because `return` outside a function or a
    `nonlocal` without a binding are found by the former alone. Nothing is executed.
    """
    with warnings.catch_warnings():
        # An invalid escape such as "\d" is a warning of the code's author, not of ours.
        warnings.simplefilter("ignore")
        try:
            compile(code, "<answer>", "exec", dont_inherit=True)
        except SyntaxError as error:
            return ParseError(error.msg or "invalid syntax", error.lineno or 0, error.offset or 0)
        except UnicodeEncodeError as error:
            return ParseError(f"a character that is not text at position {error.start}")
        except ValueError as error:  # a NUL byte, on Python 3.11
            return ParseError(str(error))
        except (RecursionError, MemoryError):
            return ParseError("nested too deeply to be compiled")
    return None
