"""How long a task is for the two readers: the student, and the code encoder behind L_s.

Tokenizers are given as functions that count, so that nothing here knows a library of models.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem
from training.data import hub

Count = Callable[[str], int]
_FILES = ("tokenizer.json", "vocab.json", "merges.txt")


def counter(name: str, say: Callable[[str], None] = lambda text: None) -> Count | None:
    """How many tokens a text has, without the special ones.

    Args:
        name: a tokenizer.json, a folder with one (or with vocab.json and merges.txt, as RoBERTa
            and CodeBERT have them), or `organisation/name@revision` on the hub; empty: None.
        say: is told of a download.

    Raises:
        DataProblem: there is no tokenizer there.
    """
    if not name:
        return None
    tokens = _load(name, say)
    tokens.no_truncation()
    return lambda text: len(tokens.encode(text, add_special_tokens=False).ids)


def _load(name: str, say: Callable[[str], None]) -> Any:
    import tokenizers

    place = Path(name).expanduser()
    if not place.exists():
        repository, _, revision = name.partition("@")
        if repository.count("/") != 1:
            raise DataProblem(
                f"There is no tokenizer at {name}.",
                hint="Name a tokenizer.json, a folder with one, or org/name@revision of the hub.",
            )
        place, _ = hub.fetch(repository, revision, _FILES, kind="model", say=say)
    whole = place if place.is_file() else place / "tokenizer.json"
    try:
        if whole.is_file():
            return tokenizers.Tokenizer.from_file(str(whole))
        pair = [str(place / file) for file in _FILES[1:]]
        return tokenizers.ByteLevelBPETokenizer.from_file(*pair)._tokenizer
    except Exception as error:  # the library raises the bare class
        raise DataProblem(
            f"The tokenizer at {place} can not be read: {error}.",
            hint="It needs tokenizer.json, or vocab.json and merges.txt.",
        ) from error
