"""The completion format: reasoning in four sections, then code in one fence.

`completion` owns the format: training writes with it, serving reads with it. `splitter` turns a
stream of model output into events, for this format and for the dialects of models that were not
trained here (`dialects`). Deliberately absent: prompts (`assistant.tasks`) and any knowledge of
tokens.
"""

from assistant.format.completion import (
    FORMAT_NAME,
    FORMAT_VERSION,
    METADATA_NAME_KEY,
    METADATA_VERSION_KEY,
    Completion,
    Rationale,
    code_opening,
    fence_for,
    outline,
    parse,
    render,
)
from assistant.format.splitter import Splitter

__all__ = [
    "FORMAT_NAME",
    "FORMAT_VERSION",
    "METADATA_NAME_KEY",
    "METADATA_VERSION_KEY",
    "Completion",
    "Rationale",
    "Splitter",
    "code_opening",
    "fence_for",
    "outline",
    "parse",
    "render",
]
