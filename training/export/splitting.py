"""How a tokenizer splits texts before it merges, by llama.cpp's name for it.

The name is found by the pattern itself. (llama.cpp's own converter looks at how a sample is split,
with the begin token in it, and took one model for another by that.)

    llama-bpe   Llama 3: three digits together, whole words taken as they are
    smaug-bpe   the same pattern where words are merged step by step
    qwen2       Qwen2 to Qwen3, and the models made here: one digit each
    tekken      Mistral Nemo and later
    smollm      one digit each, then GPT-2's way: SmolLM, StarCoder, Granite
    gpt-2       GPT-2's way

`starcoder` and `refact` are the same pattern as `smollm`; with those names llama.cpp's
detokeniser also drops spaces before punctuation, which spoils code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.errors import ExportProblem
from training.tokenizer import PATTERN, PRE_TOKENIZER

LLAMA_PATTERN = PATTERN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
"""Llama 3 keeps up to three digits together."""
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN_PATTERN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BY_PATTERN = {
    (PATTERN, False): PRE_TOKENIZER,
    (LLAMA_PATTERN, True): "llama-bpe",
    (LLAMA_PATTERN, False): "smaug-bpe",
    (TEKKEN_PATTERN, True): "tekken",
}
"""By the pattern, and whether words of the vocabulary are taken whole (ignore_merges)."""
_PLAIN = {
    "byte_fallback": (None, False), "dropout": (None, 0.0),
    "continuing_subword_prefix": (None, ""), "end_of_word_suffix": (None, ""),
}  # fmt: skip
"""Settings of a BPE model that llama.cpp has not, and the values that mean they are off."""
_HINT = "Llama 3, Qwen2, SmolLM, Granite and Mistral Nemo models have one that is known"


def name(described: Mapping[str, Any]) -> str:
    """llama.cpp's name of how a byte-level tokenizer splits texts.

    Args:
        described: the content of a `tokenizer.json`.

    Raises:
        ExportProblem: it has none for it.
    """
    model, before = described.get("model") or {}, described.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers") or [before]
    kinds = [str(one.get("type")) for one in steps]
    if model.get("type") != "BPE" or kinds not in (
        ["Split", "ByteLevel"], ["Digits", "ByteLevel"], ["ByteLevel"],
    ):  # fmt: skip
        raise ExportProblem(
            "the tokenizer is no byte-level BPE of the kinds that are exported here "
            f"({model.get('type')}, {' then '.join(kinds)})",
            hint=_HINT,
        )
    for setting, off in _PLAIN.items():
        if model.get(setting) not in off:
            raise ExportProblem(f"the tokenizer has {setting}={model[setting]!r}: not exported")
    normalizer = (described.get("normalizer") or {}).get("type")
    if normalizer not in (None, "NFC"):
        raise ExportProblem(
            f"the tokenizer changes texts before it splits them ({normalizer}), which llama.cpp "
            "does not"
        )
    whole = bool(model.get("ignore_merges"))
    found = _name(steps, whole)
    if found is None:
        raise ExportProblem(
            f"the tokenizer splits texts in a way that has no name here (ignore_merges={whole}): "
            f"{_told(steps)}",
            hint=_HINT,
        )
    return found


def _name(steps: list[dict[str, Any]], whole: bool) -> str | None:
    *firsts, level = steps
    if level.get("add_prefix_space"):
        return None
    own = bool(level.get("use_regex", True))
    if not firsts:
        return "gpt-2" if own and not whole else None
    first = firsts[0]
    if first["type"] == "Digits":
        fine = own and not whole and first.get("individual_digits")
        return "smollm" if fine else None
    if own or first.get("invert") or first.get("behavior") != "Isolated":
        return None
    return _BY_PATTERN.get((first["pattern"].get("Regex"), whole))


def _told(steps: list[dict[str, Any]]) -> str:
    """The pattern, or the steps where there is none."""
    pattern = (steps[0].get("pattern") or {}).get("Regex")
    return repr(pattern or steps)
