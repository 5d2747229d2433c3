"""Stage `tokenizer`: byte-level BPE, made from the training texts alone.

The pre-tokenizer is that of Qwen2 (single digits, leading spaces stay with words), because
llama.cpp knows it by name and splits exactly alike; there is no normaliser, so text comes back
byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from training import contexts, files, problems
from training.documents import Special, answer_text
from training.stages import Job

PRE_TOKENIZER = "qwen2"
"""The name under which llama.cpp knows `PATTERN`."""
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def make(job: Job) -> None:
    """Write `tokenizer.json`."""
    settings = job.settings.tokenizer
    tokenizer = train(_texts(job), settings.vocabulary)
    files.write_text(job.path("tokenizer.json"), tokenizer.to_str(pretty=True))


def train(texts: Iterator[str], vocabulary: int) -> tokenizers.Tokenizer:
    """A tokenizer of `vocabulary` tokens; the special ones come first."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[special.value for special in Special],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer that the stage wrote."""
    return tokenizers.Tokenizer.from_file(str(path))


def _texts(job: Job) -> Iterator[str]:
    """Requests and answers of the first training problems."""
    known = contexts.by_problem(job.path("contexts.jsonl"))
    chosen = problems.read(job.path("problems.jsonl"), "train")
    for problem in islice(chosen, job.settings.tokenizer.sample):
        yield problem.request
        for rationale in known.get(problem.id, ()):
            yield answer_text(problem, rationale)
