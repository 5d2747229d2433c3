"""Training and llama.cpp must see the same tokens, and text must come back byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from training import contexts
from training.documents import Special, answer_text
from training.tokenizer import train

HARD = (
    "", " ", "\n", "\n\n\n", "a\r\nb\r\n", "\t\tx = 1\n", " " * 40 + "return x", "x" * 300,
    "don't they'LL we'Re", "1234567890", "٣٤٥ ４２ ½", "naïve café", "日本語のテキスト",
    "🙂👩‍👩‍👧 \u200d",
    "a\u00a0b\u2003c", "def f(x):\n    return x ** 2\n", "#####----====\n", "\x00\x01\x7f",
    "a  \n  b \n\n   c", "'''\"\"\"```", "<|im_end|", "ﬁ ｆｕｌｌ", "e\u0301", "-1.5e-10",
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(nano):
    with Engine(nano / "model.gguf", EngineSettings(threads=1, context_length=256)) as engine:
        yield engine


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_have_the_same_tokens_in_llama_cpp(engine, tokens, text):
    ours = tokens.encode(text, add_special_tokens=False).ids
    assert engine.vocabulary.tokenize(text) == ours
    assert tokens.decode(ours) == text


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_has_the_same_tokens_in_llama_cpp(engine, tokens, text):
    # What the engine does to text that is no UTF-8 is the engine's affair.
    text = text.encode("utf-8", "replace").decode()
    if any(special.value in text for special in Special):
        return
    ours = tokens.encode(text, add_special_tokens=False).ids
    assert engine.vocabulary.tokenize(text) == ours
    assert tokens.decode(ours) == text


def test_requests_and_answers_have_the_same_tokens_in_llama_cpp(
    engine, tokens, nano, some_problems
):
    known = dict(contexts.read(nano / "contexts.jsonl"))
    for problem in some_problems:
        for text in (problem.request, answer_text(problem, known[problem.id])):
            ours = tokens.encode(text, add_special_tokens=False).ids
            assert engine.vocabulary.tokenize(text) == ours


def test_special_tokens_have_their_numbers_in_both(engine, tokens):
    for special in Special:
        assert tokens.token_to_id(special.value) == special.id
        assert engine.vocabulary.tokenize(special.value, parse_special=True) == [special.id]
        assert special.id not in engine.vocabulary.tokenize(special.value)
    middle = [Special.FIM_PREFIX.id, Special.FIM_SUFFIX.id, Special.FIM_MIDDLE.id]
    assert list(engine.vocabulary.fim) == middle
    assert engine.vocabulary.is_end(Special.END.id)
    assert engine.vocabulary.is_end(Special.END_OF_TURN.id)


def test_the_same_texts_give_the_same_tokenizer():
    texts = [f"def f{i}(x):\n    return x + {i}\n" for i in range(300)]
    assert train(iter(texts), 400).to_str() == train(iter(texts), 400).to_str()
