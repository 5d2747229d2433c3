"""The prompt that fills in the middle: tokens, order, names, and what typing leaves untouched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assistant.engine import library
from assistant.engine.engine import Engine
from assistant.engine.fill import TYPED, WINDOW, Fill, fill_prompt
from assistant.engine.fim import FimStyle, style_of
from assistant.engine.types import EngineSettings, Limits
from assistant.engine.vocabulary import Vocabulary
from assistant.models import store
from tests.engine.conftest import chain_engine
from tests.support.tiny_gguf import Tiny


class ExtraFile(NamedTuple):
    name: str
    text: str


SOURCES = os.environ.get("ASSISTANT_LLAMA_SOURCE", "")


@pytest.fixture(scope="module")
def starter() -> Iterator[Engine]:
    """The embedded model: a real vocabulary with real merges, and a short context."""
    if not store.embedded_path().exists():
        pytest.skip("the embedded model is not in this tree: make starter")
    with Engine(store.embedded_path(), EngineSettings(threads=1)) as loaded:
        yield loaded


class Named:
    """A vocabulary of special tokens by their text; text becomes one token a character."""

    def __init__(self, *specials: str, known: tuple[str, ...] = (), begin: bool = False) -> None:
        self._ids = {text: 10_000 + number for number, text in enumerate(specials)}
        self.fim = tuple(self._ids[text] for text in known) if known else None
        self.begin = 9_999 if begin else None

    def special(self, text: str) -> int | None:
        return self._ids.get(text)

    def tokenize(self, text: str) -> list[int]:
        return [ord(one) for one in text]

    continue_tokens = tokenize

    def shown(self, tokens: list[int]) -> str:
        names = {number: text for text, number in self._ids.items()} | {9_999: "<s>"}
        return "".join(names[token] if token >= 9_999 else chr(token) for token in tokens)


QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
STARCODER = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
DEEPSEEK = ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")
LLAMA = ("▁<PRE>", "▁<SUF>", "▁<MID>")
SEED = ("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>")
PLACE = Fill("P", "S", "T", "a/f.py", "R", (ExtraFile("x.py", "X"), ExtraFile("y.py", "Y\n")))

FAMILIES = {
    "Qwen2.5 Coder 1.5B": (
        Named(*QWEN, "<|repo_name|>", "<|file_sep|>", known=QWEN),
        "<|repo_name|>R\n<|file_sep|>x.py\nX\n<|file_sep|>y.py\nY\n<|file_sep|>a/f.py\n"
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>T",
    ),
    "starcoder2-3b": (
        Named(*STARCODER, "<repo_name>", "<file_sep>", known=STARCODER),
        "<repo_name>R<file_sep>x.py\nX\n<file_sep>y.py\nY\n<file_sep>"
        "<fim_prefix>a/f.py\nP<fim_suffix>S<fim_middle>T",
    ),
    "granite-4.1-3b": (
        Named(*QWEN, known=QWEN),
        "<|fim_prefix|># x.py\nX\n# y.py\nY\n# a/f.py\nP<|fim_suffix|>S<|fim_middle|>T",
    ),
    "deepseek-coder-6.7b-base": (
        Named(*DEEPSEEK, known=DEEPSEEK, begin=True),
        "<s><｜fim▁begin｜># x.py\nX\n# y.py\nY\n# a/f.py\nP<｜fim▁hole｜>S<｜fim▁end｜>T",
    ),
    "CodeLlama-7b": (
        Named(*LLAMA, known=LLAMA, begin=True),
        "<s>▁<PRE># x.py\nX\n# y.py\nY\n# a/f.py\nP▁<SUF>S▁<MID>T",
    ),
    "Mellum 4b Base": (
        Named(*STARCODER, "<filename>", known=STARCODER),
        "<filename>x.py\nX\n<filename>y.py\nY\n<filename>a/f.py\n"
        "<fim_suffix>S<fim_prefix>P<fim_middle>T",
    ),
    "Some Fine-tune Of Seed": (
        Named(*SEED),
        "<[fim-suffix]>S<[fim-prefix]># x.py\nX\n# y.py\nY\n# a/f.py\nP<[fim-middle]>T",
    ),
    "Codestral-22B-v0.1": (
        Named("[PREFIX]", "[SUFFIX]", "[MIDDLE]", begin=True),
        "<s>[SUFFIX]S[PREFIX]# x.py\nX\n# y.py\nY\n# a/f.py\nPT",
    ),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_asked_in_its_own_form(name: str) -> None:
    vocabulary, form = FAMILIES[name]
    style = style_of(vocabulary, name)
    assert style is not None

    assert vocabulary.shown(fill_prompt(vocabulary, style, PLACE, 4000)) == form


def test_a_model_of_mistral_that_was_not_trained_to_fill_in_is_not_asked() -> None:
    assert style_of(Named("[PREFIX]", "[SUFFIX]", "[MIDDLE]"), "Mistral-Nemo") is None


def test_names_are_left_out_where_nobody_told_them() -> None:
    """But StarCoder2 never saw a file without its token."""
    for name, form in {
        "Qwen2.5 Coder 1.5B": "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
        "starcoder2-3b": "<file_sep><fim_prefix>P<fim_suffix>S<fim_middle>",
        "CodeLlama-7b": "<s>▁<PRE>P▁<SUF>S▁<MID>",
    }.items():
        vocabulary, _ = FAMILIES[name]
        style = style_of(vocabulary, name)
        assert vocabulary.shown(fill_prompt(vocabulary, style, Fill("P", "S"), 900)) == form


def test_a_name_is_one_line() -> None:
    """It would end the header, and what follows be read as code."""
    vocabulary, _ = FAMILIES["Qwen2.5 Coder 1.5B"]
    place = Fill("P", "S", file_name="a\nb.py", repository="r\r\n s")

    said = vocabulary.shown(fill_prompt(vocabulary, style_of(vocabulary), place, 900))

    assert said.startswith("<|repo_name|>r s\n<|file_sep|>a b.py\n<|fim_prefix|>")


def test_other_files_are_left_out_from_the_first_on(starter: Engine) -> None:
    extra = tuple(ExtraFile(f"{number}.py", f"number = {number}\n" * 20) for number in range(20))

    prepared = starter.prepare_fill("a = 1\n", "\nb = 2\n", typed="x", extra=extra)
    text = starter.vocabulary.text(list(prepared.tokens))

    assert "# 19.py" in text and "# 0.py" not in text
    assert len(prepared.tokens) + prepared.max_tokens <= starter.facts.context_length


def test_the_real_tokens_are_found(tmp_path: Path) -> None:
    """A file of StarCoder2's form, through llama.cpp: it knows neither of the two."""
    more = ("<repo_name>", "<file_sep>")
    with chain_engine(tmp_path, Tiny(specials=more)) as engine:
        ids = [engine.vocabulary.specials[text] for text in more]
        tokens = engine.prepare_fill("a", "b", file_name="f", repository="r").tokens

        assert tokens[0] == ids[0] and ids[1] in tokens
        assert engine.vocabulary.is_end(ids[1])
        assert not engine.vocabulary.is_end(engine.vocabulary.tokenize("a")[0])


def test_codestral_through_llama_cpp(tmp_path: Path) -> None:
    spec = Tiny(fim=False, specials=("[PREFIX]", "[SUFFIX]"), name="Codestral-22B-v0.1")
    with chain_engine(tmp_path, spec) as engine:
        before, after = (engine.vocabulary.specials[text] for text in spec.specials)

        assert engine.facts.fim
        assert engine.prepare_fill("a", "b", typed="c").tokens == (after, 98, before, 97, 99)


# --- typing ----------------------------------------------------------------------------------


SOURCE = Path(os.__file__).read_text("utf-8")


def common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, len(SOURCE) - 400), crlf=st.booleans())
@example(at=0, crlf=False)
def test_typing_changes_only_what_is_behind_the_anchor(
    starter: Engine, at: int, crlf: bool
) -> None:
    """200 characters, one by one, the anchor at the beginning of the line."""
    source = SOURCE.replace("\n", "\r\n") if crlf else SOURCE
    suffix = source[at + 300 :]
    old: tuple[int, ...] = ()
    again = 0
    for end in range(at, at + 200):
        line = source.rfind("\n", 0, end) + 1
        prompt = starter.prepare_fill(source[:line], suffix, typed=source[line:end])
        middle = prompt.tokens.index(starter.vocabulary.fim[2])
        if line == end or not old:
            # A new line moves the anchor: the window begins where it did, but for rare moves.
            again += bool(old) and common(old, prompt.tokens) < 2
        else:
            assert common(old, prompt.tokens) > middle
        old = prompt.tokens
    assert again <= 2


def test_typing_a_line_of_one_thousand_characters_keeps_the_window(starter: Engine) -> None:
    """Typed text beyond what is kept free for it takes from the window in steps."""
    moves, old = 0, ()
    for count in range(0, 1000, 5):
        tokens = starter.prepare_fill(SOURCE[:9000], SOURCE[9000:], typed="ab c" * (count // 4))
        tokens = tokens.tokens
        moves += bool(old) and common(old, tokens) < tokens.index(starter.vocabulary.fim[2])
        old = tokens
    assert moves <= 5


# --- cuts ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    prefix=st.text(max_size=3000),
    suffix=st.text(max_size=3000),
    typed=st.text(max_size=800),
    name=st.text(max_size=20),
    room=st.integers(40, 1500),
)
@example(prefix="", suffix="", typed="", name="", room=40)
@example(prefix="", suffix="", typed="", name="漢" * 20, room=40)
@example(prefix="\ufeff\tx\r\n", suffix="\r\n", typed="\t", name="f", room=900)
def test_any_text_fits_any_room(
    starter: Engine, prefix: str, suffix: str, typed: str, name: str, room: int
) -> None:
    """Nothing that an editor can hold is refused, and what is near is kept."""
    vocabulary = starter.vocabulary
    place = Fill(prefix, suffix, typed, name, "", (ExtraFile(name, prefix),))

    tokens = fill_prompt(vocabulary, style_of(vocabulary), place, room)

    assert len(tokens) <= room
    after_middle = list(tokens[tokens.index(vocabulary.fim[2]) + 1 :])
    whole = vocabulary.continue_tokens(typed)
    assert not after_middle or list(whole[-len(after_middle) :]) == after_middle


def test_an_empty_file_and_the_ends_of_one(starter: Engine) -> None:
    before, after, middle = starter.vocabulary.fim
    text = starter.vocabulary.tokenize("x = 1\n")

    assert starter.prepare_fill("", "").tokens == (before, after, middle)
    assert starter.prepare_fill("", "x = 1\n").tokens == (before, after, *text, middle)
    assert starter.prepare_fill("x = 1\n", "").tokens == (before, *text, after, middle)


def test_both_sides_share_the_room(starter: Engine) -> None:
    """A side that is short leaves its room to the other."""
    _, after, middle = starter.vocabulary.fim
    for prefix, suffix in ((SOURCE, ""), ("", SOURCE), (SOURCE, SOURCE)):
        prompt = starter.prepare_fill(prefix, suffix, limits=Limits(max_tokens=128))
        cut, end = prompt.tokens.index(after), prompt.tokens.index(middle)
        window = starter.facts.context_length - 128 - TYPED
        assert window * 0.6 < len(prompt.tokens) <= window + 64
        assert bool(prefix) == (cut > window / 3)
        assert bool(suffix) == (end - cut > window / 5)


def test_a_large_answer_leaves_room_for_the_place(starter: Engine) -> None:
    """Clients of other makers ask for 4096 tokens, whatever the context is."""
    length = starter.facts.context_length
    for wanted in (length, 4096, 10**6):
        prompt = starter.prepare_fill(SOURCE, SOURCE, limits=Limits(max_tokens=wanted))

        assert len(prompt.tokens) > length // 4
        assert length // 4 < prompt.max_tokens == length - len(prompt.tokens)


def test_the_window_has_a_limit_in_a_long_context() -> None:
    vocabulary = Named(*QWEN, known=QWEN)
    prompt = fill_prompt(vocabulary, style_of(vocabulary), Fill(SOURCE, SOURCE), 30_000)

    assert WINDOW // 2 < len(prompt) <= WINDOW + 4


# --- other vocabularies ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama-spm", "starcoder", "deepseek-coder", "qwen2"])
def test_text_inside_of_a_prompt_keeps_its_bytes(name: str) -> None:
    """SentencePiece puts a space in front of every text that it is given."""
    file = Path(SOURCES) / "models" / f"ggml-vocab-{name}.gguf"
    if not SOURCES or not file.is_file():
        pytest.skip("ASSISTANT_LLAMA_SOURCE names no folder with llama.cpp's sources")
    lib = library.llama()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(file), params)
    try:
        vocabulary = Vocabulary(lib, lib.llama_model_get_vocab(model))
        for text in ("x = 1", "    return x\n", "\n", " ", "\tself", "", "\r\n  a"):
            assert vocabulary.text(vocabulary.continue_tokens(text)) == text
        style = FimStyle(1, 2, 3)
        for size in (0, 10, 40_000):
            prompt = fill_prompt(vocabulary, style, Fill(SOURCE[:size], SOURCE[size:]), 3000)
            assert len(prompt) <= 3000
    finally:
        lib.llama_model_free(model)
