"""`assistant export`: a model and an adapter become one file; what is to be known is said first."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from assistant.errors import ExportProblem
from training import files, verify
from training.export import (
    adapter_gguf,
    alone,
    folder,
    importance,
    making,
    proof,
    samples,
    space,
)  # fmt: skip
from training.export.folder import Folder
from training.export.making import Megabytes, Order, Weighing
from training.export.request import Prepared
from training.export.telling import described
from training.progress import Progress
from training.stages import Job

_IMPORTANCE_TOKENS, _IMPORTANCE_ROW = 8192, 512
"""Of the text that says which columns matter: all, and those that are read together."""
_LEAST_TOKENS = 2000
"""Fewer hardly show an error in the rotary positions."""


def run(prepared: Prepared) -> list[Path]:
    """Make the files; their names.

    Raises:
        ExportProblem: there is no room, a value can not be stored, or `--verify` finds that the
            file does not compute what the model computes.
    """
    request, order = prepared.request, prepared.order
    progress = Progress("export", 1, "file")
    for line in described(prepared):
        progress.say(line)
    if isinstance(order, Folder):
        count = Megabytes("export", order.bytes)
        if folder.make(order, count.add):
            count.progress.close(str(order.target))
        return [order.target]
    if request.adapter_only:
        return [_adapter(prepared, order)]
    if (text := request.imatrix_text) is not None:
        weighing = Weighing(files.digest(text), lambda: _importance(prepared, text))
        order = dataclasses.replace(order, weighing=weighing)
    made = making.make(order)
    if request.verify:
        _verify(prepared, order, made[0])
    return made


def _adapter(prepared: Prepared, order: Order) -> Path:
    """The adapter alone."""
    target = order.target
    space.make_folder(target.parent)
    with alone.held(target), space.explained(target):
        adapter_gguf.write(prepared.merged, target, order.content.labels, order.type.name)
    return target


def _importance(prepared: Prepared, text: Path) -> dict[str, np.ndarray]:
    """How much each column of each matrix matters for a text."""
    merged, tokenizer = prepared.merged, samples.tokenizer(prepared.tokenizer)
    words = text.read_text(encoding="utf-8", errors="replace")
    rows = list(samples.rows(tokenizer, [words], _IMPORTANCE_TOKENS, _IMPORTANCE_ROW))
    with _layers("importance", "layers") as on_progress:
        return importance.of_text(merged, rows, on_progress=on_progress)


def _verify(prepared: Prepared, order: Order, file: Path) -> None:
    request, content = prepared.request, order.content
    task = proof.Task(
        prepared.merged, prepared.tokenizer, order.type.name,
        chat=content.labels.chat if prepared.run else None, text=request.verify_text,
        documents=_documents(prepared.run),
    )  # fmt: skip
    with _layers("verify", "steps") as on_progress:
        found = proof.of(file, task, threads=request.threads, on_progress=on_progress)
    proof.write(found, file)
    measured, report = found.measured, proof.places(file)[1]
    progress = Progress("verify", 1, "file")
    progress.say(
        f"{measured.tokens:,} places: error {measured.nmse:.2g}, divergence "
        f"{measured.mean_kld:.2g} nats, the same most likely token at {measured.same_top:.1%}; "
        f"{found.identity.texts} texts and {found.identity.prompts} prompts"
    )
    if not found.passed:
        raise ExportProblem(
            f"{file} is not the model that it was made from: {'; '.join(found.problems[:3])}",
            hint=f"the whole report is in {report}",
        )
    if found.measured.tokens < _LEAST_TOKENS:
        raise ExportProblem(
            f"{found.measured.tokens:,} tokens were compared, which proves little",
            hint=f"name a longer text with --verify-text: {_LEAST_TOKENS:,} tokens at least",
        )
    none = found.gate.bounds_nothing
    told = "there are no bounds for" if none else "within the bounds of"
    progress.say(f"{told} {found.type}; the report is in {report}")


def _documents(run: Job | None) -> list[list[int]]:
    """What a tuned model knows best: the run's own validation texts, where they still are."""
    if run is None or not run.path("contexts.jsonl").is_file():
        return []
    return verify.texts(run)


@contextlib.contextmanager
def _layers(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Progress that is told how many of how many are done."""
    shown: list[Progress] = []
    seen = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal seen
        if not shown:
            shown.append(Progress(what, total, unit))
        shown[0].advance(done - seen)
        seen = done

    yield on_progress
    for progress in shown:
        progress.close()
