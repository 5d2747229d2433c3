"""Keys that terminals send and Textual 8.2.8 does not know."""

from __future__ import annotations

import enum
from typing import Any, cast

from textual import _ansi_sequences


class ExtraKey(enum.Enum):
    """Names in the manner of `textual.keys.Keys`."""

    ALT_ENTER = "alt+enter"


def teach() -> None:
    """Let alt+enter arrive as what it is.

    Without the kitty protocol it is sent as ESC and CR, which Textual reads as Enter: a prompt
    would be sent when a new line was meant. The table of sequences is the only place to say so;
    `tests/tui/test_prompt.py` fails should a later Textual move it.
    """
    table = cast("dict[str, Any]", _ansi_sequences.ANSI_SEQUENCES_KEYS)
    table["\x1b\r"] = (ExtraKey.ALT_ENTER,)
