"""While a model is tuned: its loss on problems it does not learn from, and answers to read.

Neither changes what is learned: no gradient, no random number, dropout off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import peft
import tokenizers
import torch
from transformers import GenerationConfig

from training import batches
from training.documents import Document, Writer
from training.settings import Adapter
from training.stages import Job
from training.tuning import batch as made
from training.tuning import examples, plan
from training.tuning.batch import Batch
from training.tuning.objective import Objective

SAMPLES = "adapter/samples.jsonl"
_ANSWERS = 2
_NEW_TOKENS = 512
"""Of a sample: it is there to be read."""


@dataclass(frozen=True)
class Request:
    """One request that is answered now and then.

    Attributes:
        problem: its id.
        tokens: of the prompt.
        end: the token that ends an answer.
    """

    problem: str
    tokens: list[int]
    end: int


class Validation:
    """What is looked at during a run.

    Args:
        found: the validation documents.
        settings: how often, and how the documents are batched.
        steps: of the run.
    """

    def __init__(self, found: examples.Examples, settings: Adapter, steps: int) -> None:
        self._settings, self._steps = settings, steps
        self._batches = list(_batches(found.documents, settings))
        self._weight = sum(made.weight(d, settings.prompt_weight) for d in found.documents)
        self.requests = list(_requests(found))

    def loss(self, number: int, objective: Objective, tuned: peft.PeftModel) -> dict[str, float]:
        """`val_loss` behind step `number`, when it is due: nats a token, as L_token."""
        last = number + 1 == self._steps
        if not self._batches or not (last or _due(number, self._settings.evaluate_every)):
            return {}
        with _looking(tuned):
            device = objective.machine.device
            summed = sum(objective.token_sum(batch.to(device)) for batch in self._batches)
        return {"val_loss": summed / self._weight}

    def samples(self, number: int) -> bool:
        """Whether answers are due behind step `number`."""
        return bool(self.requests) and _due(number, self._settings.sample_every)


def _due(number: int, every: int) -> bool:
    return every > 0 and (number + 1) % every == 0


def _batches(documents: Sequence[Document], settings: Adapter) -> Iterator[Batch]:
    if not documents:
        return
    lengths = [len(document.tokens) for document in documents]
    epochs = plan.packed_epochs if settings.packed else batches.in_epochs
    for chosen in next(epochs(lengths, settings.batch_tokens, 0)):
        yield made.make([documents[i] for i in chosen], settings.prompt_weight, settings.packed)


def _requests(found: examples.Examples) -> Iterator[Request]:
    seen: set[str] = set()
    for document, problem in zip(found.documents, found.problems, strict=True):
        if problem.id in seen or len(seen) == _ANSWERS:
            continue
        seen.add(problem.id)
        tokens = document.tokens.tolist()
        yield Request(problem.id, tokens[: document.given], tokens[-1])


@contextmanager
def _looking(tuned: peft.PeftModel) -> Iterator[None]:
    """Without dropout and recomputation."""
    tuned.eval()
    try:
        yield
    finally:
        tuned.train()


def answers(
    tuned: peft.PeftModel, requests: Sequence[Request], objective: Objective, longest: int
) -> list[list[int]]:
    """Greedy answers, as tokens.

    Args:
        tuned: the model with its adapter.
        requests: one after the other.
        objective: for the machine that it computes on.
        longest: tokens that prompt and answer have together at most.
    """
    base: Any = tuned.get_base_model()
    before: str = base.config._attn_implementation
    # A cache needs an attention that knows of one.
    base.set_attn_implementation("sdpa")
    try:
        with _looking(tuned), torch.no_grad(), objective.machine.autocast():
            return [_answer(base, request, objective, longest) for request in requests]
    finally:
        base.set_attn_implementation(before)


def _answer(base: Any, request: Request, objective: Objective, longest: int) -> list[int]:
    room = min(_NEW_TOKENS, longest - len(request.tokens))
    if room < 1:
        return []
    described: Any = GenerationConfig  # transformers gives it no type
    how = described(
        max_new_tokens=room, do_sample=False, use_cache=True, eos_token_id=request.end,
        pad_token_id=request.end,
    )  # fmt: skip
    prompt = torch.tensor([request.tokens], device=objective.machine.device)
    found = base.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=how)
    tokens: list[int] = found[0, len(request.tokens) :].tolist()
    return tokens


def write(
    job: Job,
    number: int,
    requests: Sequence[Request],
    found: Sequence[list[int]],
    tokenizer: tokenizers.Tokenizer,
) -> None:
    """Add answers to `adapter/samples.jsonl`, with the number of steps that were done."""
    with job.path(SAMPLES).open("a", encoding="utf-8", newline="\n") as file:
        for request, tokens in zip(requests, found, strict=True):
            line = {
                "step": number + 1, "problem": request.problem,
                "request": tokenizer.decode(request.tokens, skip_special_tokens=True),
                "answer": tokenizer.decode(tokens, skip_special_tokens=True),
                "finished": bool(tokens) and tokens[-1] == request.end,
            }  # fmt: skip
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def of(job: Job, writer: Writer, longest: int, steps: int) -> Validation:
    """What the settings of a run ask for."""
    found = examples.validation(job, writer, longest)
    return Validation(found, job.settings.adapter, steps)
