"""The vocabulary and the chat template of a file without its weights: to compare an export with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.engine import library
from assistant.engine.template import ChatTemplate
from assistant.engine.vocabulary import Vocabulary
from assistant.errors import ModelProblem
from assistant.models import loadable


@dataclass(frozen=True)
class Words:
    """What a file says of texts.

    Attributes:
        vocabulary: its tokens.
        source: the Jinja text of its chat template; None without one.
        template: the same, ready for messages.
    """

    vocabulary: Vocabulary
    source: str | None
    template: ChatTemplate | None


@contextmanager
def opened(path: Path) -> Iterator[Words]:
    """The words of the model in `path`, for as long as the block lasts.

    Raises:
        ModelProblem: the file is broken or does not load, or its template is not valid.
    """
    header = loadable.read(path)
    lib = library.llama()
    library.errors_of_library()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelProblem(f"llama.cpp can not load {path}: {library.errors_of_library()}.")
    template = None
    try:
        vocabulary = Vocabulary(lib, lib.llama_model_get_vocab(model))
        source = header.text("tokenizer.chat_template")
        template = ChatTemplate(source, vocabulary) if source else None
        yield Words(vocabulary, source, template)
    finally:
        if template is not None:
            template.close()
        lib.llama_model_free(model)
