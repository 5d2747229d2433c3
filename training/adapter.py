"""Stage `adapter`: LoRA on all linear layers, with L = alpha * L_token + beta * scale * L_s.

L_token is taken over what the assistant writes, L_s over the code alone. The curriculum moves
the weight from the first to the second. The adapter is written in PEFT's format.
"""

from __future__ import annotations

import warnings
from typing import Any

import peft
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import LlamaForCausalLM

from training import batches, code_encoder, contexts, files, model, optimizers, problems, tokenizer
from training.curriculum import Curriculum
from training.documents import Document, Writer
from training.loop import Values, run_steps
from training.losses.structural import Form, StructuralLoss
from training.losses.token import token_loss
from training.settings import Adapter
from training.stages import Job

TARGETS = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")


def make(job: Job) -> None:
    """Write `adapter/`."""
    torch.set_num_threads(job.settings.threads)
    settings = job.settings.adapter
    documents = corpus(job, Writer(tokenizer.load(job.path("tokenizer.json"))))
    lengths = [len(document.tokens) for document in documents]
    plan = batches.plan(lengths, settings.batch_tokens, settings.tokens, job.settings.seed + 1)
    sizes = [len(batch) * max(lengths[i] for i in batch) for batch in plan]
    tuned = with_adapter(model.load(job.path("base")), settings, job.settings.seed)
    trainable = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=settings.lr, weight_decay=0.0)
    both = BothLosses(tuned, structural_loss(job), settings, len(plan))

    def step(number: int) -> dict[str, float]:
        rate = optimizers.trapezoid(number, len(plan), settings.warmup_share, 1.0)
        optimizers.set_rates([optimizer], rate)
        batch = batches.collate([documents[i] for i in plan[number]], prompt_weight=0.0)
        loss, values = both(batch, number)
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return values | {"rate": rate, "gradient": norm.item(), "tokens": sizes[number]}

    run_steps(
        job,
        len(plan),
        step,
        {"adapter": _AdapterState(tuned), "optimizer": optimizer, "scale": both.measured},
        every=settings.checkpoint_every,
        units=sizes.__getitem__,
        unit="tokens",
    )
    save(job, tuned, settings)


def corpus(job: Job, writer: Writer) -> list[Document]:
    """Reasoning and code, for as many problems as the budget of tokens takes.

    Later problems first, so that few were seen in making the base model when there are enough.
    """
    known = contexts.by_problem(job.path("contexts.jsonl"))
    chosen = list(problems.read(job.path("problems.jsonl"), "train"))
    documents: list[Document] = []
    room = job.settings.adapter.tokens
    for problem in reversed(chosen):
        if room <= 0:
            break
        for rationale in known.get(problem.id, ()):
            documents.append(writer.reasoning(problem, rationale))
            room -= len(documents[-1].tokens)
    return documents


def with_adapter(base: LlamaForCausalLM, settings: Adapter, seed: int) -> peft.PeftModel:
    """`base`, frozen, with a fresh adapter that does nothing yet."""
    torch.manual_seed(seed)
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=list(TARGETS),
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # peft 0.21 asks transformers 5.23 for a name that was changed; nothing of ours.
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(base, config)


def structural_loss(job: Job) -> StructuralLoss:
    """L_s with the run's encoder and settings."""
    settings = job.settings.adapter
    return StructuralLoss(
        code_encoder.load_frozen(job.path("encoder")),
        Form(settings.structural),
        settings.top_k,
        settings.temperature,
    )


class BothLosses:
    """alpha * L_token + beta * scale * L_s of a batch, and what there is to log about it.

    Args:
        tuned: the model with its adapter.
        structural: L_s.
        settings: of the stage.
        steps: of the stage, for the curriculum.
    """

    def __init__(
        self, tuned: peft.PeftModel, structural: StructuralLoss, settings: Adapter, steps: int
    ) -> None:
        self._llama: Any = tuned.get_base_model()
        self._structural, self._settings = structural, settings
        self._curriculum = Curriculum(steps, settings.curriculum_warmup, settings.alpha_end)
        self.measured = Values(scale=1.0, gradient_token=0.0, gradient_structural=0.0)

    def __call__(self, batch: batches.Batch, number: int) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of step `number`, and its parts."""
        hidden = model.hidden_states(self._llama.model, batch.tokens[:, :-1])
        by_token = self._token(hidden, batch)
        by_structure, wrong = self._structure(hidden, batch)
        if number % self._settings.scale_every == 0:
            self._measure(hidden, by_token, by_structure)
        alpha, beta = self._curriculum.weights(number)
        if self._structural.form is Form.NONE:
            alpha, beta = 1.0, 0.0
        scale = self.measured.now["scale"]
        loss = alpha * by_token
        if beta > 0:
            loss = loss + beta * scale * by_structure
        values = {
            "loss": loss.item(), "token_loss": by_token.item(),
            "structural_loss": by_structure.item(), "alpha": alpha, "beta": beta,
            "programs_with_gradient": wrong, **self.measured.now,
        }  # fmt: skip
        return loss, values

    def _token(self, hidden: torch.Tensor, batch: batches.Batch) -> torch.Tensor:
        keep = batch.weights[:, 1:] > 0
        logits = model.head(self._llama.lm_head.weight, hidden[keep])
        return token_loss(logits, batch.tokens[:, 1:][keep], batch.weights[:, 1:][keep])

    def _structure(self, hidden: torch.Tensor, batch: batches.Batch) -> tuple[torch.Tensor, float]:
        """Mean L_s over the programs, and the share of them with a wrong token.

        A program whose every token is most likely the right one has no straight-through
        gradient.
        """
        rows, places, mask = code_places(batch, self._structural.encoder.max_tokens)
        targets = batch.tokens[rows, places]
        # The state one place before is the one that predicts.
        logits = model.head(self._llama.lm_head.weight, hidden[rows, places - 1])
        wrong = ((logits.argmax(-1) != targets) & mask).any(-1).float().mean().item()
        return self._structural(logits, targets, mask).mean(), wrong

    def _measure(
        self, hidden: torch.Tensor, by_token: torch.Tensor, by_structure: torch.Tensor
    ) -> None:
        """Gradient norms of both losses at the last hidden state; sets the scale from them."""
        token_norm = _norm(by_token, hidden)
        structural_norm = _norm(by_structure, hidden) if by_structure.requires_grad else 0.0
        scale = 1.0
        if self._settings.beta_scale == "auto" and structural_norm > 0:
            scale = min(self._settings.beta_ratio * token_norm / structural_norm, 1e4)
        self.measured.now = {
            "scale": scale, "gradient_token": token_norm, "gradient_structural": structural_norm,
        }  # fmt: skip


def _norm(loss: torch.Tensor, at: torch.Tensor) -> float:
    (gradient,) = torch.autograd.grad(loss, at, retain_graph=True)
    norm: float = gradient.float().norm().item()
    return norm


def code_places(
    batch: batches.Batch, max_tokens: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where the code of each row is, padded to the longest.

    Returns:
        rows, shape ``(programs, 1)``; places in the row and a mask, shape ``(programs, length)``.
    """
    spans = [(row, *span) for row, span in enumerate(batch.code) if span is not None]
    length = min(max(end - start for _, start, end in spans), max_tokens)
    rows = torch.tensor([[row] for row, _, _ in spans])
    offsets = torch.arange(length)[None, :]
    starts = torch.tensor([[start] for _, start, _ in spans])
    sizes = torch.tensor([[end - start] for _, start, end in spans])
    mask = offsets < sizes
    return rows, torch.where(mask, starts + offsets, starts), mask


class _AdapterState:
    """The adapter's weights as a state; the frozen rest is on disk already."""

    def __init__(self, tuned: peft.PeftModel) -> None:
        self._tuned = tuned

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = peft.get_peft_model_state_dict(self._tuned)
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        peft.set_peft_model_state_dict(self._tuned, state)


def save(job: Job, tuned: peft.PeftModel, settings: Adapter) -> None:
    """Write the adapter as PEFT does, but the same bytes each time and without paths."""
    state = peft.get_peft_model_state_dict(tuned)
    with files.replacing(job.path("adapter/adapter_model.safetensors")) as path:
        save_file({name: state[name].contiguous() for name in sorted(state)}, path)
    files.write_json(
        job.path("adapter/adapter_config.json"),
        {
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "../base",
            "r": settings.rank, "lora_alpha": settings.alpha, "lora_dropout": 0.0,
            "target_modules": list(TARGETS), "bias": "none", "use_rslora": False,
            "use_dora": False, "fan_in_fan_out": False, "inference_mode": True,
        },
    )  # fmt: skip
