"""Models to recommend: what for, how large, under which licence.

Only models whose licence is known are here; sizes are of the file that the name means. `memory` is
what the model takes with a context of 8,192 to 16,384 tokens. Files are checked against the SHA-256
that the hub lists at the time of the download, at one commit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.models.names import Reference, parse

GENERATE, INLINE = "generate", "inline"
SHARE_OF_MEMORY = 0.8
"""Of the machine's memory that a model may take, so that editors and browsers keep some."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A model that is worth its download."""

    alias: str
    name: str
    """`org/repo[:quant]`."""
    roles: tuple[str, ...]
    licence: str
    size: float
    """GB of the download."""
    memory: float
    """GB when it runs."""
    note: str = ""

    @property
    def reference(self) -> Reference:
        """The name, taken apart."""
        reference = parse(self.name)
        assert reference is not None
        return reference

    def fits(self, total: int | None) -> bool:
        """Whether a machine with `total` bytes of memory can run it; unknown counts as yes."""
        return total is None or self.memory * 1e9 <= SHARE_OF_MEMORY * total


_BOTH = (GENERATE, INLINE)

RECOMMENDED: tuple[Recommendation, ...] = (
    Recommendation(
        "qwen-coder-0.5b", "ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF:Q8_0", (INLINE,), "Apache-2.0",
        0.5, 1.0, "completions on a slow processor",
    ),
    Recommendation(
        "qwen-coder-1.5b", "ggml-org/Qwen2.5-Coder-1.5B-Q8_0-GGUF:Q8_0", (INLINE,), "Apache-2.0",
        1.6, 2.5, "completions on a laptop without a graphics card",
    ),
    Recommendation(
        "qwen-coder-7b", "ggml-org/Qwen2.5-Coder-7B-Q8_0-GGUF:Q8_0", (INLINE,), "Apache-2.0",
        8.1, 10.0, "completions with a graphics card",
    ),
    Recommendation(
        "llama-8b", "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M", (GENERATE,),
        "Llama 3.1 Community", 4.92, 6.5,
        "the base of our own; products say 'Built with Llama', below 700 million users a month",
    ),
    Recommendation(
        "seed-coder-8b", "unsloth/Seed-Coder-8B-Instruct-GGUF:Q4_K_M", _BOTH, "MIT",
        5.1, 7.0, "one model for both",
    ),
    Recommendation(
        "granite-8b", "unsloth/granite-4.1-8b-GGUF:Q4_K_M", _BOTH, "Apache-2.0",
        5.35, 7.5, "one model for both",
    ),
    Recommendation(
        "gpt-oss-20b", "ggml-org/gpt-oss-20b-GGUF", (GENERATE,), "Apache-2.0",
        11.6, 14.0, "few active weights, so quick for its size",
    ),
    Recommendation(
        "qwen-27b", "unsloth/Qwen3.6-27B-GGUF:Q4_K_M", (GENERATE,), "Apache-2.0",
        16.8, 20.0, "for a card of 24 GB; its cache can not be rolled back",
    ),
    Recommendation(
        "qwen-35b-a3b", "unsloth/Qwen3.6-35B-A3B-GGUF:Q4_K_M", (GENERATE,), "Apache-2.0",
        22.1, 24.0, "few active weights; its cache can not be rolled back",
    ),
    Recommendation(
        "qwen-coder-30b", "ggml-org/Qwen3-Coder-30B-A3B-Instruct-Q8_0-GGUF:Q8_0", _BOTH,
        "Apache-2.0", 32.5, 36.0, "one model for both; few active weights",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trap:
    """A family whose licence forbids what people take it for."""

    family: str
    pattern: re.Pattern[str]
    licence: str
    meaning: str


TRAPS: tuple[Trap, ...] = (
    Trap(
        "Qwen2.5-Coder-3B", re.compile(r"qwen2\.5-coder-3b", re.IGNORECASE),
        "qwen-research", "not for commercial work, unlike 1.5B and 7B",
    ),
    Trap(
        "Codestral-22B", re.compile(r"codestral-22b", re.IGNORECASE),
        "MNPL", "not for use in production",
    ),
    Trap(
        "DeepSeek-Coder-V2", re.compile(r"deepseek-coder-v2", re.IGNORECASE),
        "DeepSeek model licence", "restricts what it may be used for",
    ),
    Trap(
        "StarCoder2", re.compile(r"starcoder2", re.IGNORECASE),
        "OpenRAIL-M", "restricts what it may be used for",
    ),
)  # fmt: skip

_NON_COMMERCIAL = re.compile(r"(^|[-_.\s])(nc|non-?commercial|research|mnpl)([-_.\s]|$)", re.I)


def by_alias(name: str) -> Recommendation | None:
    """The recommendation with this alias."""
    return next((one for one in RECOMMENDED if one.alias == name), None)


def alias_of(repository: str) -> str:
    """The alias under which a repository is recommended, or ''."""
    return next((one.alias for one in RECOMMENDED if one.reference.repository == repository), "")


def licence_warning(repository: str, licence: str = "") -> str:
    """What a user should know of the licence before the download, or ''.

    Args:
        repository: `org/repo`.
        licence: what the hub says it is, if it says so.
    """
    for trap in TRAPS:
        if trap.pattern.search(repository):
            return f"{repository} is under {trap.licence}: {trap.meaning}."
    if _NON_COMMERCIAL.search(licence):
        return f"{repository} is under {licence}, which by its name is not for commercial work."
    return ""
