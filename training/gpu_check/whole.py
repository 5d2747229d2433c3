"""A small model with its adapter: packing, accumulating, going on after a stop, nf4."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
from transformers import LlamaForCausalLM

from training.documents import Document
from training.gpu_check.models import TARGETS, VOCABULARY, config, gradient, small_encoder, tiny
from training.gpu_check.telling import Failed, Skipped, apart, hold, seeded
from training.loop import run_steps
from training.losses.alignment import Reference
from training.losses.structural import Arm, StructuralLoss
from training.losses.token import token_loss
from training.settings import Settings
from training.stages import Job, Stage
from training.tuning import attention, batch, fused
from training.tuning.lora import AdapterState
from training.tuning.machine import Machine
from training.tuning.objective import Objective, Totals

_STEPS = 10


def _document(length: int, given: int, first: int) -> Document:
    tokens = (np.arange(length) * 7 + first) % VOCABULARY
    return Document(tokens.astype(np.int32), given, (length - 6, length - 1))


_DOCUMENTS = (
    _document(19, 4, 3), _document(11, 2, 50), _document(30, 9, 200), _document(14, 5, 400),
)  # fmt: skip


def packed_as_separate(device: torch.device) -> str:
    """Documents end to end in one row: losses and gradients of a row each, and nothing leaks."""
    told = []
    for exact, most in ((True, 1e-4), (False, 5e-2)):
        tuned = tiny(device, attention.NAME)
        machine = Machine(device, exact=exact)
        packed, separate = (
            _both_gradients(tuned, machine, [_DOCUMENTS], packed=way) for way in (True, False)
        )
        name = "float32" if exact else "bfloat16"
        told.append(hold(f"{name}: gradient", apart(packed, separate), most))
        told.append(hold("leak", _leak(tuned, machine), 0.0))
    return ", ".join(told)


def fused_as_peft(device: torch.device) -> str:
    """The adapter's products in one function, and the norms, on bfloat16 weights: peft's gradient,
    as training computes it."""
    found = []
    for installed in (False, True):
        tuned = tiny(device, attention.NAME)
        for parameter in tuned.parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.bfloat16()
        if installed and not fused.install(tuned):
            raise Failed("no layer is computed so")
        machine = Machine(device)
        found.append(_both_gradients(tuned, machine, [_DOCUMENTS], packed=True).float())
    return hold("bfloat16: gradient", apart(found[1], found[0]), 5e-2)


def _leak(tuned: peft.PeftModel, machine: Machine) -> float:
    """How far the states of the later documents move when the first one's tokens change."""
    first = _DOCUMENTS[0]
    other = Document((first.tokens + 1) % VOCABULARY, first.given, first.code)
    states = []
    objective = _objective(tuned, Arm.OFF, machine)
    for documents in (_DOCUMENTS, (other, *_DOCUMENTS[1:])):
        made = batch.make(documents, 0.0, packed=True).to(machine.device)
        with torch.no_grad():
            states.append(objective.hidden(made)[0, len(first.tokens) - 1 :])
    return apart(states[1], states[0])


def accumulated_as_one(device: torch.device) -> str:
    """A step in parts has the gradient of the step as one batch, of both losses."""
    tuned = tiny(device, attention.NAME)
    machine = Machine(device, exact=True)
    parts = [_DOCUMENTS[:1], _DOCUMENTS[1:]]
    told = []
    for packed in (True, False):
        one = _both_gradients(tuned, machine, [_DOCUMENTS], packed=packed)
        several = _both_gradients(tuned, machine, parts, packed=packed)
        name = "packed" if packed else "padded"
        told.append(hold(f"{name}: gradient", apart(several, one), 1e-4))
    return ", ".join(told)


def _both_gradients(
    tuned: peft.PeftModel,
    machine: Machine,
    parts: Sequence[Sequence[Document]],
    *,
    packed: bool,
) -> torch.Tensor:
    """The adapter's gradient under both losses, of one step in these parts."""
    tuned.zero_grad()
    # The likeliest token of two that are alike in bfloat16 is chance: there the soft arm.
    arm = Arm.STRAIGHT_THROUGH if machine.exact else Arm.SOFT
    objective = _objective(tuned, arm, machine)
    made = [(batch.make(part, 0.0, packed).to(machine.device), True) for part in parts]
    totals = Totals.of([document for part in parts for document in part], 0.0)
    values = objective.backward(_STEPS - 1, made, totals)
    if not values["beta"] * values["gradient_structural"] > 0:
        raise Failed("the structural loss had no part in it")
    return gradient(tuned).clone()


def _objective(tuned: peft.PeftModel, arm: Arm, machine: Machine) -> Objective:
    encoder = small_encoder(machine.device, torch.float32)
    matrix = seeded(4, VOCABULARY, encoder.table.shape[1]).float().to(machine.device)
    loss = StructuralLoss(encoder, matrix, arm)
    aligner: Any = _Doubling()
    return Objective(tuned, loss, aligner, Settings(), _STEPS, machine)


class _Doubling:
    """Stands where two tokenizers would: every token is two pieces."""

    def reference(self, tokens: Sequence[int]) -> Reference:
        """The pieces of a program."""
        pieces = torch.tensor([5 + (2 * token + i) % 290 for token in tokens for i in (0, 1)])
        return Reference(pieces, torch.arange(len(pieces)) // 2, len(tokens))


def resumed_as_straight(device: torch.device) -> str:
    """A run that was stopped in the middle ends with the same bits as one that was not."""
    with (
        tempfile.TemporaryDirectory(prefix="gpu-check-") as name,
        contextlib.redirect_stderr(io.StringIO()),  # the progress of a stage
    ):
        straight = _run(Path(name) / "straight", device, stop=None)
        with contextlib.suppress(_Stop):
            _run(Path(name) / "stopped", device, stop=5)
        resumed = _run(Path(name) / "stopped", device, stop=None)
    if not torch.equal(straight, resumed):
        raise Failed(f"weights differ by {apart(resumed, straight):.1e} after going on")
    return f"{len(straight)} weights are equal after 8 steps, stopped in the 6th"


class _Stop(Exception):
    """As a kill would: in the middle of a step, two steps after the last checkpoint."""


def _run(out: Path, device: torch.device, stop: int | None) -> torch.Tensor:
    """Eight steps with a checkpoint after every third; the adapter's weights."""
    tuned = tiny(device)
    base: Any = tuned.get_base_model()
    trained = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)

    def step(number: int) -> dict[str, float]:
        # Drawn from torch's random numbers: their state has to be kept too.
        tokens = torch.randint(VOCABULARY, (3, 24)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            hidden = base.model(input_ids=tokens[:, :-1]).last_hidden_state
        found = token_loss(
            hidden.flatten(0, 1), base.lm_head.weight, tokens[:, 1:].flatten(),
            torch.ones(3 * 23, device=device),
        )  # fmt: skip
        torch.autograd.backward(found.loss)
        if number == stop:
            raise _Stop
        optimizer.step()
        optimizer.zero_grad()
        return {"loss": found.loss.item()}

    torch.manual_seed(7)
    stage = Stage("adapter", lambda _: None, (), (), ())
    job = Job(stage, "gpu-check", Settings(), out, None, "gpu-check")
    run_steps(job, 8, step, {"adapter": AdapterState(tuned), "optimizer": optimizer}, every=3)
    return torch.cat([p.detach().flatten().cpu() for p in trained])


def nf4(device: torch.device) -> str:
    """Four-bit weights load, compute nearly the same, and give the adapter a gradient."""
    if device.type != "cuda":
        raise Skipped("four-bit weights need a CUDA card")
    for needed in ("bitsandbytes", "accelerate"):
        if importlib.util.find_spec(needed) is None:
            raise Skipped(f"{needed} is not installed; student.weights=nf4 needs it")
    from transformers import BitsAndBytesConfig

    four_bits: Any = BitsAndBytesConfig

    torch.manual_seed(0)
    plain: Any = LlamaForCausalLM(config("sdpa"))
    plain.to(torch.bfloat16)
    tokens = (torch.arange(40) * 3 % VOCABULARY).to(device)[None]
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        plain.save_pretrained(folder)
        small = LlamaForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, device_map={"": device},
            quantization_config=four_bits(
                load_in_4bit=True, bnb_4bit_quant_type="nf4",
                bnb_4bit_compute_dtype=torch.bfloat16,
            ),
        )  # fmt: skip
    with torch.no_grad():
        right = plain.to(device)(input_ids=tokens).logits
    told = hold("logits differ by", apart(small(input_ids=tokens).logits, right), 0.3)
    lora = peft.LoraConfig(r=4, target_modules=list(TARGETS), init_lora_weights=False)
    tuned = peft.get_peft_model(small, lora)
    torch.autograd.backward(tuned(input_ids=tokens).logits.float().square().mean())
    norm = gradient(tuned).float().norm().item()
    if not 0 < norm < float("inf"):
        raise Failed(f"the adapter's gradient is {norm}")
    return f"{told}, gradient {norm:.1e}"
