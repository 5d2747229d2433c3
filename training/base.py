"""Stage `base`: a Llama from scratch, next-token loss on four kinds of documents."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from training import batches, contexts, model, optimizers, problems, tokenizer
from training.documents import Document, Writer
from training.loop import run_steps
from training.losses.token import token_loss
from training.settings import Base
from training.stages import Job


def make(job: Job) -> None:
    """Write `base/`."""
    torch.set_num_threads(job.settings.threads)
    settings = job.settings.base
    tokens = tokenizer.load(job.path("tokenizer.json"))
    documents = corpus(job, Writer(tokens))
    plan = batches.plan(
        [len(d.tokens) for d in documents],
        settings.batch_tokens,
        settings.tokens,
        job.settings.seed,
    )
    sizes = [len(batch) * max(len(documents[i].tokens) for i in batch) for batch in plan]
    net = model.fresh(job.settings.model, tokens.get_vocab_size(), job.settings.seed)
    train_by = optimizers.for_base(net, settings)

    def step(number: int) -> dict[str, float]:
        rate = optimizers.trapezoid(number, len(plan), settings.warmup_share, settings.decay_share)
        optimizers.set_rates(train_by, rate)
        chosen = [documents[i] for i in plan[number]]
        batch = batches.collate(chosen, settings.prompt_weight)
        hidden = model.hidden_states(net.model, batch.tokens[:, :-1])
        loss = token_loss(
            hidden.flatten(0, 1), net.lm_head.weight, batch.tokens[:, 1:].flatten(),
            batch.weights[:, 1:].flatten(),
        ).loss  # fmt: skip
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for optimizer in train_by:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return {"loss": loss.item(), "rate": rate, "gradient": norm.item(), "tokens": sizes[number]}

    run_steps(
        job,
        len(plan),
        step,
        {"model": net, "matrices": train_by[0], "others": train_by[1]},
        every=settings.checkpoint_every,
        units=sizes.__getitem__,
        unit="tokens",
    )
    model.save(job.path("base"), model.weights(net), model.plain_config(net.config))


def corpus(job: Job, writer: Writer) -> list[Document]:
    """Documents of all kinds, in the shares that the settings ask for, of `tokens` in all.

    Fewer when the problems do not suffice: then they come again, in another order.
    """
    settings = job.settings.base
    known = contexts.by_problem(job.path("contexts.jsonl"))
    rng = random.Random(job.settings.seed)
    room = Room(settings)
    documents: list[Document] = []
    progress = job.progress(settings.tokens, "tokens of text")
    for problem in problems.read(job.path("problems.jsonl"), "train"):
        if problem.id not in known:
            continue
        before = len(documents)
        for rationale in known[problem.id]:
            if room.has("reasoning"):
                documents.append(room.take("reasoning", writer.reasoning(problem, rationale)))
        if room.has("direct"):
            documents.append(room.take("direct", writer.direct(problem)))
        if room.has("fim"):
            documents.append(room.take("fim", writer.fim(problem, rng)))
        if room.has("code"):
            documents.append(room.take("code", writer.code(problem)))
        if len(documents) == before:
            break
        progress.advance(sum(len(d.tokens) for d in documents[before:]))
    progress.close()
    return documents


class Room:
    """How many tokens of each kind still fit.

    A kind takes part in turn with the others, so that each gets its share even when the
    problems end before the budget does.
    """

    def __init__(self, settings: Base) -> None:
        shares = {
            "reasoning": settings.reasoning_share,
            "direct": settings.direct_share,
            "fim": settings.fim_share,
        }
        shares["code"] = max(0.0, 1.0 - sum(shares.values()))
        self._shares = shares
        self._total = settings.tokens
        self._used = dict.fromkeys(shares, 0)

    def has(self, kind: str) -> bool:
        """Whether `kind` is not ahead of its share, nor at its end."""
        share, used = self._shares[kind], self._used[kind]
        if share <= 0 or used >= share * self._total:
            return False
        leading = self._used["reasoning"] / max(self._shares["reasoning"], 1e-9)
        return kind == "reasoning" or used / share <= leading

    def take(self, kind: str, document: Document) -> Document:
        """Count `document` as used."""
        self._used[kind] += len(document.tokens)
        return document


def share_of(documents: Sequence[Document]) -> int:
    """Tokens in `documents`."""
    return sum(len(document.tokens) for document in documents)
