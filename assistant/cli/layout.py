"""How wide the help is: as argparse finds it, which imports half a verdict's worth to do so."""

from __future__ import annotations

import argparse
import os
import sys


def layout(*, prog: str) -> argparse.HelpFormatter:
    """For `formatter_class`: the description and the examples stand as they are written."""
    return argparse.RawDescriptionHelpFormatter(prog, width=columns() - 2)


def columns() -> int:
    """Of the terminal; what `shutil.get_terminal_size` says."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return 80
