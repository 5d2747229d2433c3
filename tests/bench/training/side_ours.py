"""Our side as a process: answers "step" with a step, "parts" with where its seconds go."""

from __future__ import annotations

import json
import statistics
import sys
import time

import torch

from tests.bench.training import measure, ours
from tests.bench.training.lines import Answers
from tests.bench.training.rows import rows
from tests.bench.training.work import SHAPES

_TIMES = 2


def main() -> None:
    """Answer the bench until it says "stop"."""
    settings = json.loads(sys.argv[1])
    answers = Answers()
    torch.set_num_threads(settings["threads"])
    device = torch.device(settings["device"])
    shape = SHAPES[settings["shape"]]
    examples = rows(settings["rows"], shape.vocabulary, settings["scale"])
    made = ours.build(shape, examples, device, settings["rate"])
    measure.reset_peak(device)
    tokens = sum(len(row.tokens) for row in examples)
    answers.send(
        trained=sum(p.numel() for p in made.run.trained), tokens=tokens,
        counted=int((made.batch.weights > 0).sum()), resident=measure.resident(device),
        versions=_versions(),
    )  # fmt: skip
    while (word := answers.next()) != "stop":
        if word == "step":
            measure.wait(device)
            started, busy = time.perf_counter(), time.process_time()
            loss = ours.step(made)
            measure.wait(device)
            answers.send(
                seconds=time.perf_counter() - started, busy=time.process_time() - busy,
                peak=measure.peak(device), loss=loss, tokens=tokens,
            )  # fmt: skip
        else:
            answers.send(**_parts(made, device, shape.width, shape.feed_forward))


def _parts(made: ours.Ours, device: torch.device, width: int, wide: int) -> dict[str, object]:
    taken = [ours.parts(made, device) for _ in range(_TIMES)]
    return {
        "parts": {name: statistics.median(one[name] for one in taken) for name in taken[0]},
        "structural": ours.structural_seconds(made, device, _TIMES),
        "product": measure.product_rate(device, 2048, width, wide, _TIMES),
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("peft", "transformers", "torch")}


if __name__ == "__main__":
    main()
