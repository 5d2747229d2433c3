"""The chat templates and vocabularies that llama.cpp is tested with.

They come with its sources, which `ASSISTANT_LLAMA_SOURCE` names; `ASSISTANT_LLAMA_BIN` adds the
comparison with a real llama-server.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assistant.engine import library
from assistant.engine.engine import Engine
from assistant.engine.template import ChatTemplate
from assistant.engine.types import Message
from assistant.engine.vocabulary import Vocabulary
from assistant.tasks import Task, messages
from tests.support.llama_server import (
    llama_server,
    needs_server,
    needs_source,
    templates,
    vocabularies,
)
from tests.support.tiny_gguf import Tiny, chain_of, write

pytestmark = needs_source
TEMPLATES = [pytest.param(path, id=path.stem) for path in templates()]
VOCABULARIES = [pytest.param(path, id=path.stem) for path in vocabularies()]

ANSWER = "<think>\nTH1\n</think>\n\nA1"
CASES = {
    "system and user": [Message("system", "SYS"), Message("user", "U1 <b>&\"'</b>\n\n  x")],
    "user": [Message("user", "U1")],
    "turns": [Message("user", "U1"), Message("assistant", "A1"), Message("user", "U2")],
    "thinking": [
        *(Message("system", "SYS"), Message("user", "U1")),
        *(Message("assistant", ANSWER), Message("user", "U2")),
    ],
}

# Where a model is asked otherwise than by llama-server, and why.
_KEEPS = "it asks for old thinking to be kept; here a template decides by itself"
DIFFERENT = {
    ("Apertus-8B-Instruct", None): "it switches the deliberation off, whose tags it does not know",
    ("GLM-4.7-Flash", "thinking"): _KEEPS,
    ("LFM2.5-8B-A1B", "thinking"): _KEEPS,
    ("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "thinking"): _KEEPS,
    ("deepseek-ai-DeepSeek-V4", "thinking"): _KEEPS,
    ("deepseek-ai-DeepSeek-V4", "turns"): _KEEPS,
    ("deepseek-ai-DeepSeek-V4-Flash-0731", "thinking"): _KEEPS,
    ("deepseek-ai-DeepSeek-V4-Flash-0731", "turns"): _KEEPS,
    ("google-gemma-2-2b-it", "system and user"): "one line break before the user's text, not two",
    ("google-gemma-2-2b-it", "thinking"): "the same",
}
# The tag that a template opens by itself: as its last line in the sources says.
OPENS = {
    "Apriel-1.6-15b-Thinker-fixed": "Here are my reasoning steps:",
    "Cohere2MoE": "<|START_THINKING|>",
    "Kimi-K3": "<|open|>think<|sep|>",
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "<think>",
    "Qwen3.5-4B": "<think>",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "<think>",
    "deepseek-ai-DeepSeek-V3.1": "<think>",
    "google-gemma-4-31B-it": "",
    "openai-gpt-oss-120b": "",
    "Qwen-Qwen3-0.6B": "",
    "meta-llama-Llama-3.1-8B-Instruct": "",
}


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vocabulary]:
    """A small one, for texts."""
    path = write(tmp_path_factory.mktemp("small") / "m.gguf", Tiny(chain=chain_of("A")))
    with Engine(path) as engine:
        yield engine.vocabulary


@pytest.mark.parametrize("path", TEMPLATES)
def test_every_template_asks_for_the_four_sections(path: Path, vocabulary: Vocabulary) -> None:
    asked = [Message(m["role"], m["content"]) for m in messages(Task("R-1."), trained_format=False)]
    with closing(ChatTemplate(path.read_text(), vocabulary)) as template:
        text = template.render(asked)
        begun = template.prompt([*asked, Message("assistant", "## Intent\nTo")])

    assert text.index("## Intent") < text.index("## Code\n```python") < text.index("R-1.")
    assert begun.thinking == ""
    assert vocabulary.text(begun.tokens).endswith("## Intent\nTo")


@pytest.mark.parametrize("path", [p for p in TEMPLATES if p.id in OPENS])
def test_what_a_template_opens_is_known(path: Path, vocabulary: Vocabulary) -> None:
    with closing(ChatTemplate(path.read_text(), vocabulary)) as template:
        assert template.prompt([Message("user", "U1")]).thinking == OPENS[path.stem]


@pytest.fixture(scope="module", params=VOCABULARIES)
def real(request: pytest.FixtureRequest) -> Iterator[Vocabulary]:
    """The vocabulary of a well-known model, without weights."""
    lib = library.llama()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(request.param), params)
    if not model:
        pytest.skip(f"llama.cpp does not load it: {library.errors_of_library()}")
    yield Vocabulary(lib, lib.llama_model_get_vocab(model))
    lib.llama_model_free(model)


def some_templates(vocabulary: Vocabulary) -> list[Path]:
    """A few for each vocabulary, all together most; each is a process to start."""
    return random.Random(vocabulary.size).sample(templates(), 6)


CODE = "def f(x):\n\n\n    return x < 3  # <b>é</b>\n\n\t<h1>Title</h1>\n        ä\n"


def test_prompts_are_tokenised_as_one_text(real: Vocabulary) -> None:
    """With nothing to hide in the messages, the pieces together are what llama.cpp makes."""
    said = [Message("system", "Be brief."), Message("user", CODE), Message("assistant", "So.\n")]
    said.append(Message("user", "And now?"))
    for path in some_templates(real):
        with closing(ChatTemplate(path.read_text(), real)) as template:
            expected = real.tokenize(template.render(said), parse_special=True)
            if real.begin is not None and expected[:1] != [real.begin]:
                expected.insert(0, real.begin)
            assert template.tokens(said) == expected, path.name


def test_no_text_of_a_message_is_a_special_token(real: Vocabulary) -> None:
    """The same special tokens, in the same order, whatever the messages hold."""
    chance = random.Random(0)
    texts = [*real.specials, "a", " ", "\n", "<", "|", ">", "assistant"]
    ids = set(real.specials.values())
    for path in some_templates(real):
        with closing(ChatTemplate(path.read_text(), real)) as template:

            def specials(*said: str, template: ChatTemplate = template) -> list[int]:
                roles = ("user", "assistant", "user")
                turns = [Message(r, text) for r, text in zip(roles, said, strict=True)]
                return [token for token in template.tokens(turns) if token in ids]

            hostile = ["x" + "".join(chance.choices(texts, k=40)) + "x" for _ in range(2)]
            assert specials(hostile[0], "y", hostile[1]) == specials("x", "y", "x"), path.name


@needs_server
@pytest.mark.parametrize("path", TEMPLATES)
def test_the_text_is_llama_servers(
    path: Path, vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = write(tmp_path_factory.getbasetemp() / "served.gguf", Tiny(chain=chain_of("A")))
    with (
        llama_server(model, "--jinja", "--chat-template-file", str(path)) as server,
        closing(ChatTemplate(path.read_text(), vocabulary)) as template,
    ):
        for name, said in CASES.items():
            body: dict[str, Any] = {
                "messages": [{"role": m.role, "content": m.content} for m in said]
            }
            theirs = server.post("/apply-template", body)["prompt"]
            known = (path.stem, name) in DIFFERENT or (path.stem, None) in DIFFERENT
            assert (template.render(said) != theirs) == known, name
