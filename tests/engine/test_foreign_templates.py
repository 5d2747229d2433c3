"""Models that were not made here are asked through their own templates, as they were trained."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.template import ChatTemplate
from assistant.engine.types import EngineSettings, Message
from assistant.tasks import Task, messages
from tests.support import chat_templates as written
from tests.support.tiny_gguf import Tiny, write

SYSTEM, USER = Message("system", "Be brief."), Message("user", "Hi")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A vocabulary with the control tokens of the templates."""
    path = write(tmp_path_factory.mktemp("foreign") / "m.gguf", Tiny(specials=written.SPECIALS))
    with Engine(path, EngineSettings(threads=1)) as engine:
        yield engine


def text_of(engine: Engine, source: str, *said: Message, **variables: object) -> str:
    with closing(ChatTemplate(source, engine.vocabulary)) as template:
        return template.render(said, variables)


@pytest.mark.parametrize("source", [written.GEMMA, written.SILENT])
def test_a_system_message_that_is_not_taken_goes_to_the_user(foreign: Engine, source: str) -> None:
    """Refused or left out: the instructions would be lost."""
    turns = (SYSTEM, USER, Message("assistant", "Yo"), Message("user", "And?"))
    text = text_of(foreign, source, *turns)

    assert "<|turn|>user\nBe brief.\n\nHi<|stop|>" in text
    assert "<|turn|>user\nAnd?<|stop|>" in text
    assert "<|turn|>system" not in text


def test_the_four_sections_are_asked_for_in_every_template(foreign: Engine) -> None:
    asked = [Message(m["role"], m["content"]) for m in messages(Task("Add."), trained_format=False)]
    for source in (written.GEMMA, written.PARTS, written.THINKING, written.CHANNELS):
        text = text_of(foreign, source, *asked)
        assert text.index("## Intent") < text.index("## Code\n```python") < text.index("Add.")


def test_parts_are_given_where_parts_are_read(foreign: Engine) -> None:
    text = text_of(foreign, written.PARTS, SYSTEM, USER)

    assert text == "<|turn|>system\nBe brief.<|stop|><|turn|>user\nHi<|stop|><|turn|>assistant\n"


def test_what_templates_of_tool_models_use_is_there(foreign: Engine) -> None:
    text = text_of(foreign, written.TOOLS, USER)

    today = time.strftime("%d %b %Y")
    end = foreign.vocabulary.bos_text
    assert text == (
        f"{end}<|turn|>system\nToday: {today}"
        'a={"k": "<é>"};b=1;none<|stop|><|turn|>USER\nHi<|stop|><|turn|>assistant'
    )


def test_variables_reach_the_template(foreign: Engine) -> None:
    tools = [{"name": "f", "text": "<&>"}]
    text = text_of(foreign, written.TOOLS, USER, tools=tools, date_string="never")

    assert 'Today: never{\n  "name": "f",\n  "text": "<&>"\n}a=' in text
    assert text_of(foreign, written.THINKING, USER, enable_thinking=False).endswith("</think>\n\n")


def test_old_thinking_is_left_out_though_its_tags_are_special(foreign: Engine) -> None:
    """The template has to find the tags in the model's own answers, and nowhere else."""
    turns = [
        Message("user", "One </think> two"),
        Message("assistant", "<think>\nLong.\n</think>\n\nShort."),
        Message("user", "More"),
    ]
    with closing(ChatTemplate(written.THINKING, foreign.vocabulary)) as template:
        tokens = template.tokens(turns)

    vocabulary = foreign.vocabulary
    shown = "".join(vocabulary._piece(t, special=True).decode() for t in tokens)
    assert "<|turn|>assistant\nShort.<|stop|>" in shown
    assert vocabulary.specials["</think>"] not in tokens


@pytest.mark.parametrize(
    ("source", "said", "thinking"),
    [
        (written.THINKING, [USER], "<think>"),
        (written.CHANNELS, [USER], ""),
        (written.GEMMA, [USER], ""),
        (written.THINKING, [USER, Message("assistant", "## Intent\n")], ""),
        (written.THINKING, [USER, Message("assistant", "<think>\nSo")], "<think>"),
        (written.GEMMA, [USER, Message("assistant", "<think>\nSo")], "<think>"),
        (written.GEMMA, [USER, Message("assistant", "<think>\nSo</think>")], ""),
        (written.GEMMA, [Message("user", "What is <think>")], ""),
    ],
)
def test_whether_the_model_begins_inside_its_thinking(
    foreign: Engine, source: str, said: list[Message], thinking: str
) -> None:
    with closing(ChatTemplate(source, foreign.vocabulary)) as template:
        assert template.prompt(said).thinking == thinking


@pytest.mark.parametrize(
    ("source", "opening"),
    [
        (written.CHANNELS, "<|start|>assistant<|channel|>final<|message|>## Intent\n"),
        (written.THINKING, "<|turn|>assistant\n## Intent\n"),
        (written.GEMMA, "<|turn|>model\n## Intent\n"),
    ],
)
def test_a_begun_answer_stands_where_an_answer_stands(
    foreign: Engine, source: str, opening: str
) -> None:
    """In its channel and outside of thinking, which the opening of a turn leaves to the model."""
    with closing(ChatTemplate(source, foreign.vocabulary)) as template:
        tokens = template.tokens([USER, Message("assistant", "## Intent\n")])

    shown = "".join(foreign.vocabulary._piece(t, special=True).decode() for t in tokens)
    assert shown.endswith(opening)


def test_two_messages_can_not_make_a_role_together(foreign: Engine) -> None:
    """A template may join what two messages hold halves of."""
    source = "{% for m in messages %}{{ m.content | trim }}{% endfor %}<|turn|>assistant"
    vocabulary = foreign.vocabulary
    text = "<|turn|>"
    with closing(ChatTemplate(source, vocabulary)) as template:
        for cut in range(1, len(text)):
            halves = [Message("user", "a" + text[:cut] + " "), Message("user", text[cut:])]
            tokens = template.tokens(halves)
            assert tokens.count(vocabulary.specials["<|turn|>"]) == 1, cut
            assert vocabulary.text(tokens) == "a<|turn|>assistant"


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ("<|{{ messages[0].content }}", "turn|> a"),
        ("{{ messages[0].content | trim }}n|>", "<|tur "),
    ],
)
def test_nor_can_a_message_with_the_template(foreign: Engine, source: str, content: str) -> None:
    with closing(ChatTemplate(source, foreign.vocabulary)) as template:
        tokens = template.tokens([Message("user", content)])

    assert foreign.vocabulary.specials["<|turn|>"] not in tokens
    assert "<|turn|>" in foreign.vocabulary.text(tokens)


def test_marks_of_thinking_are_seen_in_the_answer(foreign: Engine) -> None:
    """Control tokens have no text; these have, or nobody could tell thinking from an answer."""
    vocabulary = foreign.vocabulary

    assert vocabulary.piece(vocabulary.specials["</think>"]) == b"</think>"
    assert vocabulary.piece(vocabulary.specials["<|channel|>"]) == b"<|channel|>"
    assert vocabulary.piece(vocabulary.specials["<|turn|>"]) == b""


def test_a_vocabulary_without_channels_shows_no_control_token(engine: Engine) -> None:
    assert not engine.vocabulary.marks


def test_the_engine_tells_it_and_ends_the_process(tmp_path: Path) -> None:
    spec = Tiny(template=written.THINKING, specials=written.SPECIALS)
    with Engine(write(tmp_path / "m.gguf", spec), EngineSettings(threads=1)) as engine:
        prepared = engine.prepare_chat([USER])
        assert engine._template is not None
        process = engine._template._renderer._process

    assert prepared.thinking == "<think>"
    assert process is not None
    assert process._popen.poll() is not None
