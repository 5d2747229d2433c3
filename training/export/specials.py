"""What a model says of its special tokens and its chat template, in the files beside its tokenizer.

tokenizer_config.json   the special tokens by name, sometimes the template
chat_template.jinja     the template; it counts where both have one, as in transformers
tokenizer.json          which tokens are put around a text
config.json             special tokens by number, where the others are silent
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import ExportProblem

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
Template = str | Sequence[Mapping[str, str]] | None


@dataclass(frozen=True)
class Specials:
    """Special tokens of a model as it comes.

    Attributes:
        numbers: of the tokens, by role: `bos`, `eos` and others of `ROLES`.
        begins: the tokenizer puts `bos` in front of a text.
        ends: it puts `eos` behind a text.
        template: of chats, byte for byte; several with names; None: it has none.
        problem: why llama.cpp can not put around texts what the tokenizer does; empty if it can.
    """

    numbers: Mapping[str, int]
    begins: bool
    ends: bool
    template: Template
    problem: str = ""

    def in_all(self, described: Mapping[str, Any]) -> dict[str, int]:
        """The numbers, and those that only config.json has.

        Args:
            described: the content of config.json.

        Raises:
            ExportProblem: there is a problem.
        """
        if self.problem:
            raise ExportProblem(self.problem)
        found = {}
        for role in ROLES:
            number = self.numbers.get(role, _number(described.get(f"{role}_token_id")))
            if number is not None:
                found[role] = number
        return found


def read(folder: Path, tokenizer: Mapping[str, Any]) -> Specials:
    """The special tokens of a model.

    Args:
        folder: of its tokenizer.
        tokenizer: the content of `tokenizer.json`.

    Raises:
        ExportProblem: a file can not be read.
    """
    settings = _json(folder / "tokenizer_config.json")
    added = {one["content"]: int(one["id"]) for one in tokenizer.get("added_tokens", ())}
    named = {role: _text(settings.get(f"{role}_token")) for role in ROLES}
    first, last = _around(tokenizer)
    named["bos"] = named["bos"] or first
    named["eos"] = named["eos"] or last
    problem = ""
    for role, found in (("bos", first), ("eos", last)):
        if found and found != named[role]:
            problem = (
                f"the tokenizer puts {found!r} around texts, and tokenizer_config.json has "
                f"{named[role]!r} as {role}_token; llama.cpp can only put that one"
            )
    numbers = {role: added[text] for role, text in named.items() if text in added}
    known = _silent(tokenizer)
    begins = bool(first) if first or known else bool(settings.get("add_bos_token"))
    ends = bool(last) if last or known else bool(settings.get("add_eos_token"))
    return Specials(numbers, begins, ends, _template(folder, settings), problem)


def _around(tokenizer: Mapping[str, Any]) -> tuple[str, str]:
    """The special tokens that are put in front of a text and behind it; empty: none."""
    for step in _steps(tokenizer):
        single = step.get("single") or []
        if step.get("type") == "TemplateProcessing" and len(single) > 1:
            ends = (single[0], single[-1])
            first, last = (str((one.get("SpecialToken") or {}).get("id", "")) for one in ends)
            return first, last
    return "", ""


def _silent(tokenizer: Mapping[str, Any]) -> bool:
    """Whether tokenizer.json itself says that nothing is put around a text."""
    return any(step.get("type") == "ByteLevel" for step in _steps(tokenizer))


def _steps(tokenizer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    after = tokenizer.get("post_processor") or {}
    return list(after.get("processors") or [after])


def template(folder: Path) -> Template:
    """The chat template of the model in a folder."""
    return _template(folder, _json(folder / "tokenizer_config.json"))


def _template(folder: Path, settings: Mapping[str, Any]) -> Template:
    alone = folder / "chat_template.jinja"
    if not alone.is_file():
        old = _json(folder / "chat_template.json").get("chat_template")
        found: Template = settings.get("chat_template", old)
        return found or None
    text = alone.read_bytes().decode("utf-8")
    others = sorted((folder / "additional_chat_templates").glob("*.jinja"))
    if not others:
        return text
    more = [{"name": one.stem, "template": one.read_bytes().decode("utf-8")} for one in others]
    return [{"name": "default", "template": text}, *more]


def _text(token: Any) -> str:
    """A token's text; newer files have it as text, older ones as an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else ""


def _number(value: Any) -> int | None:
    """A token's number; of several that end a text, the first."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, int) and not isinstance(first, bool) else None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportProblem(f"{path} can not be read: {error}") from error
    return found if isinstance(found, dict) else {}
