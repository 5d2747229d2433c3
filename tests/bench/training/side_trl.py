"""TRL's side: SFTTrainer with peft, by its own loop, with the settings that its documents advise.

Packing `bfd` (padding-free), the loss fused with the head (its default and, in 1.16, its only one;
without Triton it computes the places whose loss does not count, too), bfloat16, no gradient
checkpointing, the fused optimizer. Each step is one pass over all examples, so that both sides
have the same ones in every step.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tests.bench.training import measure, models
from tests.bench.training.lines import Answers
from tests.bench.training.rows import Row, rows
from tests.bench.training.work import SHAPES, Shape

MOST_STEPS = 10_000


class Turns:
    """Holds the trainer until it is this side's turn; made a callback in `main`."""

    def __init__(self, answers: Answers, device: torch.device, tokens: int) -> None:
        self._answers, self._device, self._tokens = answers, device, tokens
        self._seconds = self._busy = 0.0
        self._peak = 0

    def begin(self, control: Any) -> None:
        """Wait for the word; "stop" ends the training after this step."""
        if self._answers.next() == "stop":
            # The trainer would do the whole step first.
            raise KeyboardInterrupt
        measure.wait(self._device)
        self._started, self._busy_before = time.perf_counter(), time.process_time()

    def end(self) -> None:
        """The step is done, the optimizer's too."""
        measure.wait(self._device)
        self._seconds = time.perf_counter() - self._started
        self._busy = time.process_time() - self._busy_before
        self._peak = measure.peak(self._device)

    def told(self, loss: float) -> None:
        """The trainer has logged the step's loss."""
        self._answers.send(
            seconds=self._seconds, busy=self._busy, peak=self._peak, loss=loss,
            tokens=self._tokens,
        )  # fmt: skip


def tokenizer() -> Any:
    """The trainer asks for one; the examples are tokens already, so it needs no more than marks."""
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<end>": 1}
    made = Tokenizer(WordLevel(words, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<end>")


def trainer(settings: dict[str, Any], shape: Shape, examples: list[Row], turns: Turns) -> Any:
    """The trainer, ready to go."""
    import peft
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Callback(TrainerCallback):  # transformers takes callbacks by their class
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            turns.begin(control)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            turns.end()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                turns.told(logs["loss"])

    device = torch.device(settings["device"])
    data = Dataset.from_list(
        [
            {
                "input_ids": row.tokens,
                "completion_mask": [0] * row.given + [1] * row.counted,
            }
            for row in examples
        ]
    )
    arguments = SFTConfig(
        output_dir=settings["folder"], max_steps=MOST_STEPS, seed=0,
        per_device_train_batch_size=len(examples), gradient_accumulation_steps=1,
        learning_rate=settings["rate"], lr_scheduler_type="constant", max_grad_norm=1.0,
        weight_decay=0.0, optim="adamw_torch_fused",
        packing=True, packing_strategy="bfd", max_length=settings["max_length"],
        completion_only_loss=True, loss_type=settings["loss"],
        bf16=True, use_cpu=device.type == "cpu", gradient_checkpointing=False,
        logging_steps=1, report_to="none", save_strategy="no", disable_tqdm=True,
        dataloader_pin_memory=device.type == "cuda",
    )  # fmt: skip
    lora = peft.LoraConfig(
        r=shape.rank, lora_alpha=2 * shape.rank, lora_dropout=0.0,
        target_modules=list(shape.linears()), task_type="CAUSAL_LM",
    )  # fmt: skip
    made = SFTTrainer(
        model=models.llama(shape, device, settings["attention"]),
        args=arguments,
        train_dataset=data,
        processing_class=tokenizer(),
        peft_config=lora,
        callbacks=[Callback()],
    )
    models.set_adapter(made.model.named_parameters())
    return made


def main() -> None:
    """Answer the bench until it says "stop"."""
    settings = json.loads(sys.argv[1])
    answers = Answers()
    torch.set_num_threads(settings["threads"])
    device = torch.device(settings["device"])
    shape = SHAPES[settings["shape"]]
    examples = rows(settings["rows"], shape.vocabulary, settings["scale"])
    turns = Turns(answers, device, sum(len(row.tokens) for row in examples))
    made = trainer(settings, shape, examples, turns)
    packed = sum(len(row) for row in made.train_dataset["input_ids"])
    counted = sum(label != -100 for row in made.train_dataset["labels"] for label in row)
    trained = sum(p.numel() for p in made.model.parameters() if p.requires_grad)
    measure.reset_peak(device)
    answers.send(
        trained=trained, tokens=packed, counted=counted, resident=measure.resident(device),
        versions=_versions(),
    )  # fmt: skip
    try:
        made.train()
    except KeyboardInterrupt:
        return


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("trl", "peft", "transformers", "torch", "datasets")}


if __name__ == "__main__":
    main()
