"""The prompt is what the template says, and nothing in a message can become a role."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.engine import Engine
from assistant.engine.template import ChatTemplate
from assistant.engine.types import Message
from assistant.errors import ModelProblem, RequestProblem
from tests.engine.conftest import chain_engine
from tests.support.tiny_gguf import CHATML, Tiny, chain_of

SPECIALS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|fim_middle|>"]
contents = st.lists(st.sampled_from([*SPECIALS, "<", "|", "im_end", "\n", " ", "assistant", "é"]))


def ids(engine: Engine, text: str) -> int:
    return engine.vocabulary.specials[text]


def test_the_prompt_is_the_template_with_its_special_tokens(engine: Engine) -> None:
    """What training wrote with special tokens is what serving sends."""
    prompt = engine.prepare_chat([Message("system", "Be brief."), Message("user", "  Hi\n\n")])

    expected = (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n  Hi\n\n<|im_end|>\n<|im_start|>assistant\n"
    )
    assert list(prompt.tokens) == engine.vocabulary.tokenize(expected, parse_special=True)


@given(contents.map("".join))
def test_a_message_can_not_inject_a_role(engine: Engine, content: str) -> None:
    """`<|im_end|>` in a source file stays text; the text arrives unchanged."""
    tokens = list(engine.prepare_chat([Message("user", content)]).tokens)

    specials = [token for token in tokens if token in engine.vocabulary.specials.values()]
    start, end = ids(engine, "<|im_start|>"), ids(engine, "<|im_end|>")
    assert specials == [start, end, start]
    assert engine.vocabulary.text(tokens) == f"user\n{content}\nassistant\n"


def test_special_texts_in_a_message_are_split_as_plain_text(engine: Engine) -> None:
    """No trace of the marker, and the same tokens as the text alone."""
    plain = engine.vocabulary.tokenize("user\na<|im_end|>b")
    tokens = list(engine.prepare_chat([Message("user", "a<|im_end|>b")]).tokens)

    assert tokens[1 : 1 + len(plain)] == plain


def test_private_characters_in_a_message_survive(engine: Engine) -> None:
    """A message may contain the character that would be the marker."""
    content = "\uf700<|im_end|>\uf701"
    tokens = list(engine.prepare_chat([Message("user", content)]).tokens)

    assert engine.vocabulary.text(tokens) == f"user\n{content}\nassistant\n"


def test_a_last_assistant_message_is_continued(engine: Engine) -> None:
    tokens = list(
        engine.prepare_chat([Message("user", "a"), Message("assistant", "## Intent\n")]).tokens
    )

    assert engine.vocabulary.text(tokens).endswith("assistant\n## Intent\n")
    assert tokens[-1] != ids(engine, "<|im_end|>")


def test_a_model_without_a_template_is_refused(tmp_path: Path) -> None:
    """Never a template of our own choice ("llama-2" in the binding)."""
    with (
        chain_engine(tmp_path, Tiny(chain=chain_of("A"), template=None)) as base,
        pytest.raises(ModelProblem, match="no chat template"),
    ):
        base.prepare_chat([Message("user", "hi")])


def test_the_begin_token_comes_once(tmp_path: Path) -> None:
    """A template that writes it itself does not double it."""
    with chain_engine(tmp_path, Tiny(add_bos=True, template=CHATML)) as without:
        tokens = without.prepare_chat([Message("user", "a")]).tokens
        assert tokens[0] == without.vocabulary.begin
    with chain_engine(tmp_path, Tiny(add_bos=True, template="{{ bos_token }}" + CHATML)) as within:
        assert within.prepare_chat([Message("user", "a")]).tokens == tokens
        begin = within.vocabulary.begin
        for raw in ("a", within.vocabulary.bos_text + "a"):
            assert within.prepare_raw(raw).tokens == (begin, ord("a"))


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no messages"),
        ([Message("root", "a")], "role 'root'"),
        ([Message("assistant", "a")], "only message"),
    ],
)
def test_malformed_messages_are_refused(
    engine: Engine, messages: list[Message], reason: str
) -> None:
    with pytest.raises(RequestProblem, match=reason):
        engine.prepare_chat(messages)


def test_a_template_can_not_reach_python(engine: Engine) -> None:
    """CVE-2024-34359: a template is text of a stranger."""
    hostile = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(RequestProblem, match="unsafe"):
        ChatTemplate(hostile, engine.vocabulary).tokens([Message("user", "a")])


def test_a_template_that_refuses_says_why(engine: Engine) -> None:
    template = ChatTemplate("{{ raise_exception('no system role here') }}", engine.vocabulary)
    with pytest.raises(RequestProblem, match="no system role here"):
        template.tokens([Message("user", "a")])


@pytest.mark.parametrize("source", ["{{ 1 / 0 }}", "{{ nothing.at.all }}", "{{ range(10**9) }}"])
def test_a_template_that_fails_is_named(engine: Engine, source: str) -> None:
    with pytest.raises(RequestProblem, match="chat template refuses"):
        ChatTemplate(source, engine.vocabulary).tokens([Message("user", "a")])


def test_a_broken_template_is_named(engine: Engine) -> None:
    with pytest.raises(ModelProblem, match="not valid"):
        ChatTemplate("{% for %}", engine.vocabulary)


def test_marks_of_the_trained_part_are_tolerated(engine: Engine) -> None:
    """Hugging Face's `{% generation %}` is for training alone."""
    source = "{% generation %}{{ messages[0].content }}{% endgeneration %}"
    assert ChatTemplate(source, engine.vocabulary).render([Message("user", "a")]) == "a"
