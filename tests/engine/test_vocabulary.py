"""Text becomes tokens and comes back unchanged, whatever it is."""

from __future__ import annotations

import ast
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.engine import Engine
from assistant.engine.vocabulary import TextDecoder, Vocabulary
from tests.support.tiny_gguf import LONGEST_RUN

texts = st.text() | st.lists(
    st.sampled_from(
        [" " * 39, " " * 40, "\t", "\r\n", "#" * 70, "é", "漢", "👩‍💻", "<|im_end|>", "x = 1"]
    )
).map("".join)


@given(texts)
def test_round_trip(engine: Engine, text: str) -> None:
    """The text of the tokens is the text, bytes that are no text excepted."""
    clean = text.encode("utf-8", "replace").decode()

    assert engine.vocabulary.text(engine.vocabulary.tokenize(text)) == clean


@given(text=texts, data=st.data())
def test_pieces_cut_anywhere_give_the_same_text(text: str, data: st.DataObject) -> None:
    """A character cut between tokens waits for its rest."""
    raw = text.encode("utf-8", "replace")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)))))
    decoder = TextDecoder()

    pieces = [decoder.feed(raw[a:b]) for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]

    assert "".join(pieces) == raw.decode()
    assert not decoder.pending


def test_a_character_that_never_ends_is_left_out() -> None:
    decoder = TextDecoder()

    assert decoder.feed("漢".encode()[:2]) == ""
    assert decoder.pending


def test_a_token_longer_than_32_bytes_keeps_its_text(engine: Engine) -> None:
    """The binding's own detokenizer loses it: abetlen/llama-cpp-python#2362."""
    tokens = engine.vocabulary.tokenize(" " * LONGEST_RUN)

    assert len(tokens) == 1
    assert engine.vocabulary.piece(tokens[0]) == b" " * LONGEST_RUN


def test_real_source_files_round_trip(engine: Engine) -> None:
    folder = Path(ast.__file__).parent
    files = random.Random(1).sample(sorted(folder.glob("*.py")), 10)
    for file in files:
        text = file.read_text("utf-8")
        assert engine.vocabulary.text(engine.vocabulary.tokenize(text)) == text, file


def test_control_tokens_have_no_text(engine: Engine) -> None:
    vocabulary = engine.vocabulary
    tokens = vocabulary.tokenize("<|im_start|>a<|im_end|>", parse_special=True)

    assert len(tokens) == 3
    assert vocabulary.text(tokens) == "a"
    assert [vocabulary.is_end(token) for token in tokens] == [False, False, True]


def test_a_real_vocabulary_round_trips() -> None:
    """231 normal tokens of Llama 3 are longer than 32 bytes."""
    file = Path(os.environ.get("ASSISTANT_TEST_VOCAB", "ggml-vocab-llama-bpe.gguf"))
    if not file.is_file():
        pytest.skip(
            "ASSISTANT_TEST_VOCAB does not name ggml-vocab-llama-bpe.gguf, which lies in "
            "vendor/llama.cpp/models of llama-cpp-python's source release"
        )
    from assistant.engine import library

    lib = library.llama()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(file), params)
    try:
        vocabulary = Vocabulary(lib, lib.llama_model_get_vocab(model))
        for text in (" " * 39, "#" * 70, "    " * 10 + "x", "a\r\n\tb", "漢字 👩‍💻"):
            assert vocabulary.text(vocabulary.tokenize(text)) == text
    finally:
        lib.llama_model_free(model)
