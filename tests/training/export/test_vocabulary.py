"""Tokenizers on their way into a file: what users of other converters lost there.

llama.cpp's issues 7724 (the begin token changed the way to split), 9692 (merges as pairs), 26799
(added tokens behind the embedding), and tokens of 40 spaces; transformers 5's two forms of
`extra_special_tokens`.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import gguf
import pytest
import tokenizers

from assistant.engine import library
from assistant.engine.vocabulary import Vocabulary
from assistant.errors import ExportProblem
from tests.support import checkpoints, gguf_content
from tests.support import tokenizers_made as made
from training import gguf_export
from training.chat import CHATML
from training.export import splitting, vocabulary
from training.export.metadata import Labels

ENDS = ("<s>", "</s>", "<|im_end|>")
TEXTS = (
    "def add(a, b):\n    return a + b\n", " " * 40 + "deep\n" + " " * 5 + "x",
    "\t\t tabs  and   gaps", "caf\u00e9 \u4f60\u597d 123 12345 \U0001f999\u200d\u2642",
    "a\r\nb\r\n\r\n", "it's I'LL 'tis", "", "<0x41> <s> </s> \u2581\u2581 literal", "#" * 70,
    "x=1;y=22;z=333;w=4444",
)  # fmt: skip


def _read(tmp_path: Path, described: dict[str, Any], rows: int = 500) -> vocabulary.Vocabulary:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(described), "utf-8")
    return vocabulary.read(path, rows)


def _file(
    tmp_path: Path, described: dict[str, Any], chat: Any = None, **named: Any
) -> tuple[Path, Path]:
    """A small model with a tokenizer, and its file."""
    folder = checkpoints.write(
        tmp_path / "model", "llama", described, settings={"hidden_size": 32, "head_dim": 8},
        named=named,
    )  # fmt: skip
    target = tmp_path / "model.gguf"
    labels = Labels("t", chat=chat)
    gguf_export.write(folder, folder / "tokenizer.json", target, "F16", labels)
    return folder, target


# --- how texts are split ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "whole", "name"),
    [
        (made.LLAMA, True, "llama-bpe"), (made.LLAMA, False, "smaug-bpe"),
        (made.QWEN, False, "qwen2"), (made.TEKKEN, True, "tekken"),
        (made.DIGITS, False, "smollm"), (made.GPT2, False, "gpt-2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("begin", ["", "<s>"])
def test_the_way_to_split_is_found_whatever_is_put_in_front(
    steps: made.Steps, whole: bool, name: str, begin: str
) -> None:
    assert splitting.name(made.made(steps, ENDS, begin=begin, whole=whole)) == name


@pytest.mark.parametrize(
    ("steps", "whole"), [(made.QWEN, True), (made.GPT2, True), (made.split(r"\w+"), False)]
)
def test_a_way_that_llama_cpp_has_no_name_for_is_refused(steps: made.Steps, whole: bool) -> None:
    with pytest.raises(ExportProblem, match="no name here"):
        splitting.name(made.made(steps, ENDS, whole=whole))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"normalizer": {"type": "Lowercase"}}, "Lowercase"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "BPE, Whitespace"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "no name"),
        ({"model": {"type": "Unigram"}}, "Unigram"),
        ({"model": {"type": "BPE", "end_of_word_suffix": "</w>"}}, "end_of_word_suffix"),
    ],
)
def test_what_llama_cpp_does_not_do_to_texts_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ExportProblem, match=said):
        splitting.name(made.made(made.GPT2, ENDS) | change)


# --- tokens ----------------------------------------------------------------------------------


def test_merges_as_pairs_are_those_as_texts(tmp_path: Path) -> None:
    described = made.made(made.QWEN, ENDS)
    pairs = _read(tmp_path, described).merges
    assert isinstance(described["model"]["merges"][0], list)
    described["model"]["merges"] = [" ".join(one) for one in described["model"]["merges"]]
    assert _read(tmp_path, described).merges == pairs
    described["model"]["merges"] = [["a b", " c"]]
    assert _read(tmp_path, described).merges == ["a\u0120b \u0120c"]


def test_numbers_without_a_token_are_unused_and_named_apart(tmp_path: Path) -> None:
    described = made.made(made.QWEN, (*ENDS, "[PAD450]"))
    found = _read(tmp_path, described)
    assert found.kinds[450] is gguf.TokenType.UNUSED
    assert len(set(found.tokens)) == 500


def test_added_tokens_behind_the_embedding_are_named(tmp_path: Path) -> None:
    described = made.made(made.QWEN, ENDS)
    last = described["added_tokens"][-1]["id"]
    assert _read(tmp_path, described, last + 1).tokens[last] == ENDS[-1]
    with pytest.raises(ExportProblem, match=rf"im_end.*number {last}, .*only {last} rows"):
        _read(tmp_path, described, last)


@pytest.mark.parametrize(
    ("content", "number", "said"),
    [("a", 440, "'a' twice"), ("new", 5, "number 5 twice"), ("</s>", 441, "'</s>' twice")],
)
def test_twins_are_refused_at_which_llama_cpp_would_stop_the_process(
    tmp_path: Path, content: str, number: int, said: str
) -> None:
    described = made.made(made.QWEN, ENDS)
    described["added_tokens"] += made.added({content: number})
    with pytest.raises(ExportProblem, match=said):
        _read(tmp_path, described)


@pytest.mark.parametrize("extra", [["<extra>"], {"image_token": "<extra>"}])
def test_both_forms_of_extra_special_tokens_give_the_same_file(tmp_path: Path, extra: Any) -> None:
    described = made.made(made.QWEN, (*ENDS, "<extra>"))
    _, target = _file(tmp_path, described, eos_token="</s>", extra_special_tokens=extra)
    keys = gguf_content.read(target).keys
    place = keys["tokenizer.ggml.tokens"].index("<extra>")
    assert keys["tokenizer.ggml.token_type"][place] == gguf.TokenType.CONTROL


def test_a_folder_without_tokenizer_json_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ExportProblem, match=r"tokenizer\.json is missing") as caught:
        vocabulary.read(tmp_path / "tokenizer.json", 9)
    assert "save_pretrained" in caught.value.hint


# --- special tokens and the template ---------------------------------------------------------

TEMPLATE = "{{- bos_token }}\r\n{%- generation %}\u00e9{{ 'x' }}{% endgeneration %}\n\n"


def test_the_model_s_own_template_and_special_tokens(tmp_path: Path) -> None:
    described = made.made(made.LLAMA, ENDS, begin="<s>", whole=True)
    folder, target = _file(
        tmp_path, described, chat_template=TEMPLATE, eos_token={"content": "</s>"}
    )
    keys = gguf_content.read(target).keys
    assert keys["tokenizer.chat_template"] == TEMPLATE
    numbers = {one["content"]: one["id"] for one in described["added_tokens"]}
    assert keys["tokenizer.ggml.bos_token_id"] == numbers["<s>"]
    assert keys["tokenizer.ggml.eos_token_id"] == numbers["</s>"]
    assert keys["tokenizer.ggml.add_bos_token"] is True
    assert keys["tokenizer.ggml.add_eos_token"] is False
    (folder / "chat_template.jinja").write_bytes(b"alone\r\n" + TEMPLATE.encode())
    own = vocabulary.read(folder / "tokenizer.json", 500).specials
    assert own.template == "alone\r\n" + TEMPLATE


def test_a_chat_of_ours_comes_instead(tmp_path: Path) -> None:
    described = made.made(made.QWEN, ENDS)
    _, target = _file(tmp_path, described, CHATML, chat_template=TEMPLATE, eos_token="</s>")
    keys = gguf_content.read(target).keys
    assert keys["tokenizer.chat_template"] == CHATML.template
    assert keys["tokenizer.ggml.tokens"][keys["tokenizer.ggml.eos_token_id"]] == "<|im_end|>"


def test_a_token_in_front_that_llama_cpp_would_not_put_there_is_refused(tmp_path: Path) -> None:
    described = made.made(made.QWEN, ENDS, begin="<s>")
    with pytest.raises(ExportProblem, match=r"puts '<s>' around texts.*'</s>' as bos_token"):
        _file(tmp_path, described, bos_token="</s>")


def test_numbers_that_only_the_configuration_has(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(made.made(made.QWEN, ENDS)), "utf-8")
    own = vocabulary.read(path, 500).specials
    described = {"bos_token_id": 3, "eos_token_id": [7, 8], "pad_token_id": None}
    assert own.in_all(described) == {"bos": 3, "eos": 7}


# --- the same tokens as the tokenizer itself -------------------------------------------------

KINDS = {
    "llama": (made.LLAMA, True), "smaug": (made.LLAMA, False), "qwen": (made.QWEN, False),
    "tekken": (made.TEKKEN, True), "digits": (made.DIGITS, False), "gpt-2": (made.GPT2, False),
}  # fmt: skip


@pytest.mark.parametrize("name", [*KINDS, "pieces"])
def test_llama_cpp_makes_the_same_tokens_of_a_text(name: str, tmp_path: Path) -> None:
    if name == "pieces":
        described = made.pieces()
    else:
        steps, whole = KINDS[name]
        described = made.made(steps, ENDS, whole=whole, size=900)
    _, target = _file(tmp_path, described, bos_token="<s>", eos_token="</s>")
    plain = copy.deepcopy(described) | {"added_tokens": []}
    judge = tokenizers.Tokenizer.from_str(json.dumps(plain))
    lib = library.llama()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(str(target).encode(), params)
    assert model
    try:
        found = Vocabulary(lib, lib.llama_model_get_vocab(model))
        for text in TEXTS:
            wanted = judge.encode(text, add_special_tokens=False).ids
            assert found.tokenize(text) == wanted, text
            assert found.text(wanted) == text or name == "pieces"
    finally:
        lib.llama_model_free(model)
