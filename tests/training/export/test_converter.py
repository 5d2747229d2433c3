"""Our files are, tensor for tensor and key for key, what llama.cpp's own converter writes.

Every difference is in a table here with its reason; one that is not, and one that is gone, fails.
Vocabularies are the real ones where llama.cpp's source has them: Llama 3's, Qwen2's, Llama 2's for
Mistral, and Refact's for Granite, whose own differs by a few tokens. SmolLM2, SmolLM3 and Mistral
Nemo have made ones, which the converter's table of hashes can not know: there the test says the
name (`converter`). llama.cpp itself then loads each file.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import checkpoints, converter, gguf_content, llama3_student
from tests.support import tokenizers_made as made
from tests.support.gguf_content import Content
from training import gguf_export
from training.export.metadata import Labels

LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
}  # fmt: skip
LLAMA_TOKENS = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
ENDS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

EVERYWHERE = {
    "general.license": "ours always says the licence",
    "general.description": "ours says what the model is",
    "general.size_label": "theirs counts parameters for the name of a leader board",
    "tokenizer.ggml.add_eos_token": "ours says it where theirs leaves it to a guess",
}
LENGTHS = {
    "{}.attention.key_length": "ours always says the size of a head; theirs where config.json has "
    "a head_dim, and llama.cpp computes the same from the others",
    "{}.attention.value_length": "as key_length",
}
VOCABULARY_SIZE = {"{}.vocab_size": "ours always says it; llama.cpp counts the tokens"}
ROPE_DIMENSION = {"{}.rope.dimension_count": "ours always says it; it is the size of a head"}
SEPARATOR = {"tokenizer.ggml.add_sep_token": "of pairs of texts, which no decoder is asked with"}


@dataclass(frozen=True)
class Shape:
    """A model to convert, and where both files differ.

    Attributes:
        kind: transformers' name.
        tokenizer: makes its tokenizer.json.
        type_name: F32, F16, BF16 or Q8_0.
        settings: of its config.json.
        named: of its tokenizer_config.json.
        rows: of the embedding; 0: as many as tokens.
        old: rotary positions in the form of transformers 4.
        splits: llama.cpp's name of its way to split, where the converter's table lacks it.
        model: whether a tokenizer.model is beside it, as with Mistral 7B.
        differs: keys by which both files differ, beside those of `EVERYWHERE`, and why.
    """

    kind: str
    tokenizer: Callable[[], dict[str, Any]]
    type_name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    named: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 0
    old: bool = False
    splits: str = ""
    model: bool = False
    differs: Mapping[str, str] = field(default_factory=dict)


SHAPES = {
    "llama-3.1": Shape(
        "llama", lambda: made.real("llama-bpe", "<|begin_of_text|>"), "F16",
        {"rope_parameters": LLAMA3_ROPE, "max_position_embeddings": 131072},
        {**LLAMA_TOKENS, "chat_template": llama3_student.LLAMA_TEMPLATE}, differs=SEPARATOR,
    ),
    "llama-3.2": Shape(
        "llama", lambda: made.made(
            made.LLAMA, llama3_student.LLAMA_SPECIALS, begin="<|begin_of_text|>", whole=True
        ), "F32",
        {"rope_parameters": {**LLAMA3_ROPE, "factor": 32.0}, "tie_word_embeddings": True,
         "attention_bias": True, "mlp_bias": True},
        LLAMA_TOKENS, rows=420, old=True, splits="llama-bpe", differs=SEPARATOR,
    ),
    "llama, linear": Shape(
        "llama", lambda: made.made(made.GPT2, ENDS), "F16",
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
        {"eos_token": ENDS[0]}, splits="gpt-2",
    ),
    "qwen-2.5": Shape(
        "qwen2", lambda: made.real("qwen2") | {"normalizer": {"type": "NFC"}}, "Q8_0",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
         "tie_word_embeddings": True, "bos_token_id": 151643, "eos_token_id": 151645},
        {"eos_token": {"__type": "AddedToken", "content": "<|im_end|>"}, "bos_token": None,
         "pad_token": "<|endoftext|>",
         "chat_template": llama3_student.QWEN_TEMPLATE},
        rows=151936, differs={**LENGTHS, **VOCABULARY_SIZE, **ROPE_DIMENSION},
    ),
    "qwen-2.5, yarn": Shape(
        "qwen2", lambda: made.made(made.QWEN, ENDS), "BF16",
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 4.0,
                             "original_max_position_embeddings": 32768, "beta_fast": 32.0}},
        {"eos_token": "<|im_end|>"}, splits="qwen2",
        differs={**LENGTHS, **VOCABULARY_SIZE, **ROPE_DIMENSION},
    ),
    "qwen-3": Shape(
        "qwen3", lambda: made.made(made.QWEN, ENDS), "F32",
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}, "head_dim": 32},
        {"eos_token": "<|im_end|>"}, splits="qwen2",
        differs={**VOCABULARY_SIZE, **ROPE_DIMENSION},
    ),
    "smollm-2": Shape(
        "llama", lambda: made.made(made.DIGITS, ENDS), "Q8_0",
        {"hidden_size": 72, "num_attention_heads": 6, "num_key_value_heads": 3,
         "tie_word_embeddings": True, "bos_token_id": 401, "eos_token_id": 402},
        {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>",
         "unk_token": "<|endoftext|>"},
        splits="smollm",
    ),
    "smollm-3": Shape(
        "smollm3", lambda: made.made(made.LLAMA, ENDS, whole=True), "F16",
        {"num_hidden_layers": 4, "tie_word_embeddings": True,
         "rope_parameters": {"rope_type": "default", "rope_theta": 5000000.0}},
        {"eos_token": "<|im_end|>"}, splits="llama-bpe", differs=LENGTHS,
    ),
    "mistral-7b": Shape(
        "mistral", made.pieces, "F16",
        {"sliding_window": 4096, "max_position_embeddings": 32768, "bos_token_id": 1,
         "eos_token_id": 2},
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True,
         "add_eos_token": False,
         "added_tokens_decoder": {
             str(number): {"content": text, "special": True}
             for number, text in enumerate(("<unk>", "<s>", "</s>"))
         }},
        model=True,
        differs={
            **SEPARATOR,
            "llama.context_length": "4,096, the window, for llama.cpp has none here",
            "tokenizer.ggml.scores": "tokenizer.json has the order of the scores, not the scores",
            "tokenizer.ggml.add_space_prefix": "ours says what llama.cpp takes anyway",
        },
    ),
    "mistral-nemo": Shape(
        "mistral", lambda: made.made(made.TEKKEN, ("<s>", "</s>"), begin="<s>", whole=True),
        "BF16", {"sliding_window": None, "head_dim": 32},
        {"bos_token": "<s>", "eos_token": "</s>"}, splits="tekken", differs=SEPARATOR,
    ),
    "granite": Shape(
        "granite", lambda: made.real("refact"), "Q8_0",
        {"attention_multiplier": 0.015625, "embedding_multiplier": 12.0, "logits_scaling": 8.0,
         "residual_multiplier": 0.22, "tie_word_embeddings": True, "bos_token_id": 0,
         "eos_token_id": 0},
        {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "add_bos_token": False},
        rows=49159, differs={
            **LENGTHS,
            "tokenizer.ggml.pre": "smollm splits as refact does, and drops no space when read back",
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Our file and theirs, of each shape."""
    place = tmp_path_factory.mktemp("converter")
    converter.source()
    jobs, found = [], {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        # From another name of a folder the converter would read a version, a size and more.
        folder = _model(place / str(number) / "tiny", shape)
        ours, theirs = place / f"{number}-ours.gguf", place / f"{number}-theirs.gguf"
        labels = Labels("Tiny", chat=None, follows_format=False)
        gguf_export.write(folder, folder / "tokenizer.json", ours, shape.type_name, labels)
        job = (str(folder), str(theirs), shape.type_name.lower(), shape.splits)
        jobs.append(converter.Conversion(*job))
        found[name] = (ours, theirs)
    converter.convert(jobs, place)
    return found


def _model(folder: Path, shape: Shape) -> Path:
    checkpoints.write(
        folder, shape.kind, shape.tokenizer(), settings=shape.settings, named=shape.named,
        rows=shape.rows, old=shape.old,
    )  # fmt: skip
    if shape.model:
        (folder / "tokenizer.model").write_bytes(made.pieces_model())
    return folder


@functools.cache
def _read(path: Path) -> Content:
    return gguf_content.read(path)


@pytest.mark.parametrize("name", SHAPES)
def test_tensor_for_tensor(name: str, pairs: dict[str, tuple[Path, Path]]) -> None:
    ours, theirs = (_read(path).tensors for path in pairs[name])
    assert ours.keys() == theirs.keys()
    for key, (kind, shape, data) in ours.items():
        assert (kind, shape) == theirs[key][:2], key
        if key == "rope_freqs.weight":
            # Theirs are computed in float32 from the start, ours in double.
            both = (np.frombuffer(one, np.float32) for one in (data, theirs[key][2]))
            assert np.allclose(*both, rtol=2e-6, atol=0)
        else:
            assert data == theirs[key][2], key


@pytest.mark.parametrize("name", SHAPES)
def test_key_for_key(name: str, pairs: dict[str, tuple[Path, Path]]) -> None:
    ours, theirs = (_read(path).keys for path in pairs[name])
    differ = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    architecture = ours["general.architecture"]
    here = {key.format(architecture) for key in SHAPES[name].differs}
    assert differ - here - EVERYWHERE.keys() == set()
    assert here - differ == set()


def test_what_is_said_to_differ_everywhere_differs(pairs: dict[str, tuple[Path, Path]]) -> None:
    both = [[_read(path).keys for path in pair] for pair in pairs.values()]
    for key in EVERYWHERE:
        assert any(ours.get(key) != theirs.get(key) for ours, theirs in both), key


def test_scores_are_in_the_order_of_the_original(pairs: dict[str, tuple[Path, Path]]) -> None:
    """Which two neighbours are joined first depends on nothing else."""
    ours, theirs = (_read(path).keys for path in pairs["mistral-7b"])
    name = "tokenizer.ggml.scores"
    tokens = ours["tokenizer.ggml.tokens"]
    both = zip(tokens, theirs[name], ours[name], strict=True)
    # Nothing is joined to a single character or a byte; the special ones come first here.
    ranked = sorted((old, new) for token, old, new in both if len(token) > 1 and "<" not in token)
    assert len(ranked) > 25_000
    for (low, first), (high, second) in itertools.pairwise(ranked):
        assert low == high or first < second, (low, high)
