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

from training import batches, contexts, files, model, optimizers, problems, tokenizer
from training.curriculum import Curriculum
from training.documents import Document, Writer
from training.loop import Stateful, Values, run_steps
from training.losses import balance
from training.losses.alignment import Aligner
from training.losses.build import build
from training.losses.structural import Arm, Places, StructuralLoss
from training.losses.token import token_loss
from training.settings import Adapter, Settings
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
    structural, aligner = build(job, tuned)
    trainable = [p for p in tuned.parameters() if p.requires_grad]
    if structural.projection is not None:
        trainable += structural.projection.parameters()
    optimizer = torch.optim.AdamW(trainable, lr=settings.lr, weight_decay=0.0)
    both = BothLosses(tuned, structural, aligner, job.settings, len(plan))

    def step(number: int) -> dict[str, float]:
        rate = optimizers.trapezoid(number, len(plan), settings.warmup_share, 1.0)
        optimizers.set_rates([optimizer], rate)
        batch = batches.collate([documents[i] for i in plan[number]], prompt_weight=0.0)
        values = both.backward(batch, number)
        norm = nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return values | {"rate": rate, "gradient": norm.item(), "tokens": sizes[number]}

    state: dict[str, Stateful] = {
        "adapter": _AdapterState(tuned), "optimizer": optimizer, "scale": both.measured,
    }  # fmt: skip
    if structural.projection is not None:
        state["projection"] = structural.projection
    run_steps(
        job,
        len(plan),
        step,
        state,
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


class BothLosses:
    """alpha * L_token + beta * scale * L_s of a batch, and what there is to log about it.

    Args:
        tuned: the model with its adapter.
        structural: L_s.
        aligner: student tokens to encoder pieces.
        settings: of the run.
        steps: of the stage, for the curriculum.
    """

    def __init__(
        self,
        tuned: peft.PeftModel,
        structural: StructuralLoss,
        aligner: Aligner,
        settings: Settings,
        steps: int,
    ) -> None:
        self._llama: Any = tuned.get_base_model()
        self._structural, self._aligner = structural, aligner
        self._top_k, self._curriculum = settings.structural.top_k, settings.curriculum
        plan = settings.curriculum
        self._weights = Curriculum(steps, plan.warmup, plan.alpha_end, plan.schedule).weights
        self.measured = Values(scale=1.0)

    def backward(self, batch: batches.Batch, number: int) -> dict[str, float]:
        """Add the gradients of step `number`; returns its loss and parts."""
        hidden = model.hidden_states(self._llama.model, batch.tokens[:, :-1])
        # Both losses end here: their gradients are told apart at this state.
        cut = hidden.detach().requires_grad_()
        by_token, places = self.losses(cut, batch)
        by_structure = self._structural(places).mean()
        alpha, beta = self._weights(number)
        if self._structural.arm is Arm.OFF:
            alpha, beta = 1.0, 0.0
        scale = self.measured.now["scale"]
        head = self._structural.projection
        norms = balance.backward(
            hidden, cut, (by_token, by_structure), (alpha, beta * scale),
            list(head.parameters()) if head is not None else (),
        )  # fmt: skip
        if number % self._curriculum.measure_every == 0:
            plan = self._curriculum
            self.measured.now["scale"] = balance.scale(norms, plan.beta_scale, plan.beta_ratio)
        token, structure = by_token.item(), by_structure.item()
        return {
            "loss": alpha * token + beta * scale * structure, "token_loss": token,
            "structural_loss": structure, "alpha": alpha, "beta": beta, "scale": scale,
            "gradient_token": norms.token, "gradient_structural": norms.structural,
            "gradient_ratio": norms.ratio, "programs_with_gradient": places.share_wrong(),
        }  # fmt: skip

    def losses(self, hidden: torch.Tensor, batch: batches.Batch) -> tuple[torch.Tensor, Places]:
        """L_token of a batch, and what L_s is made from.

        Args:
            hidden: states of all tokens but the last, shape ``(rows, length - 1, width)``.
            batch: every row has code.
        """
        targets = batch.tokens[:, 1:]
        code = code_places(batch)
        found = token_loss(
            hidden.flatten(0, 1), self._llama.lm_head.weight, targets.flatten(),
            batch.weights[:, 1:].flatten(), emit=code.flatten(), top_k=self._top_k,
        )  # fmt: skip
        spans = [(row, *span) for row, span in enumerate(batch.code) if span is not None]
        references = [
            self._aligner.reference(batch.tokens[row, start:end].tolist())
            for row, start, end in spans
        ]
        # The state that predicts the code's first token has seen all of the reasoning.
        ends = hidden[[row for row, _, _ in spans], [start - 1 for _, start, _ in spans]]
        return found.loss, Places(found.values, found.tokens, targets[code], references, ends)


def code_places(batch: batches.Batch) -> torch.Tensor:
    """Which places predict code: one before each of its tokens; bool, ``(rows, length - 1)``."""
    places = torch.zeros_like(batch.tokens[:, 1:], dtype=torch.bool)
    for row, span in enumerate(batch.code):
        if span is not None:
            places[row, span[0] - 1 : span[1] - 1] = True
    return places


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
