"""`assistant export`: a model and an adapter become one file; what is to be known is said first."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from assistant.errors import ExportProblem, UsageProblem
from training import student, verify
from training.export import (
    adapter_gguf,
    content,
    importance,
    lineage,
    making,
    merging,
    proof,
    samples,
    types,
)  # fmt: skip
from training.export.making import Order
from training.export.merging import Merged
from training.export.metadata import Labels
from training.plan.numbers import scaled, size
from training.progress import Progress
from training.stages import Job

_IMPORTANCE_TOKENS, _IMPORTANCE_ROW = 8192, 512
"""Of the text that says which columns matter: all, and those that are read together."""
_SPLIT = re.compile(r"(\d+(?:\.\d+)?)([MG])B?", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """What a person has asked for.

    Attributes:
        base: the folder of the model.
        adapter: that of the adapter, or None.
        out: the file, or a folder for it; None: the present folder.
        type_name: how matrices are stored; empty: Q8_0, an adapter alone F32.
        adapter_only: write the adapter, to be served with a base in GGUF.
        name: of the model; empty: made from where it comes from.
        licence: of the model; empty: what its files say.
        split: largest size of one file, such as `4G`; empty: one file.
        imatrix_text: a file whose text says which columns matter, or None.
        verify: compare the file with the torch model.
        verify_text: a file with the text for that, or None.
        keep: leave the float16 file that the quantiser reads.
        threads: that work at the same time.
    """

    base: Path
    adapter: Path | None
    out: Path | None
    type_name: str = ""
    adapter_only: bool = False
    name: str = ""
    licence: str = ""
    split: str = ""
    imatrix_text: Path | None = None
    verify: bool = False
    verify_text: Path | None = None
    keep: bool = False
    threads: int = 1


@dataclass(frozen=True)
class Prepared:
    """A request that can be fulfilled: everything that can be refused has been looked at."""

    request: Request
    order: Order
    merged: Merged
    tokenizer: Path
    run: Job | None


def prepare(request: Request) -> Prepared:
    """Look at all that is needed, and at everything that would go wrong later.

    Raises:
        UsageProblem: an option is wrong.
        ExportProblem: the model can not be exported, or the adapter is not of this base.
    """
    found = types.find(request.type_name or ("F32" if request.adapter_only else "Q8_0"))
    split = split_bytes(request.split)
    if request.adapter_only:
        _check_adapter_only(request)
    if split and not found.direct:
        raise UsageProblem(
            f"--split-size is for types that are written directly, and {found.name} is not",
            hint="leave out --split-size, or take --type Q8_0",
        )
    if request.imatrix_text is not None and found.direct:
        raise UsageProblem(
            f"--imatrix-text is for llama.cpp's quantiser, and {found.name} is written directly",
            hint="leave out --imatrix-text, or take --type Q4_K_M",
        )
    for path in (request.imatrix_text, request.verify_text):
        if path is not None and not path.is_file():
            raise UsageProblem(f"there is no file {path}")
    merged = merging.opened(request.base, request.adapter)
    run = lineage.run_of(request.adapter) if request.adapter else None
    tokenizer = _tokenizer(request, run)
    labels = _labels(request, merged, run)
    inputs = tuple(path for path in (request.base, request.adapter, tokenizer) if path)
    order = Order(
        content.of(merged, tokenizer, labels), _target(request, labels, found.name), found.name,
        inputs, split, request.threads, keep=request.keep,
    )  # fmt: skip
    return Prepared(request, order, merged, tokenizer, run)


def _check_adapter_only(request: Request) -> None:
    given = {
        "--split-size": request.split, "--imatrix-text": request.imatrix_text,
        "--verify": request.verify, "--keep": request.keep,
    }  # fmt: skip
    if request.adapter is None:
        raise UsageProblem("--adapter-only needs an adapter", hint="--adapter DIR")
    if (name := request.type_name.upper()) and name not in adapter_gguf.TYPES:
        raise UsageProblem(
            f"an adapter is not written as {name}",
            hint=f"--type {', '.join(adapter_gguf.TYPES)} (an adapter is small)",
        )
    for option, value in given.items():
        if value:
            raise UsageProblem(f"{option} is not for an adapter alone", hint=f"leave out {option}")


def split_bytes(text: str) -> int:
    """Bytes of `--split-size`, such as `4G` or `500M`; 0 for nothing.

    Raises:
        UsageProblem: it is no size.
    """
    if not text:
        return 0
    found = _SPLIT.fullmatch(text)
    count = float(found[1]) * {"M": 1e6, "G": 1e9}[found[2].upper()] if found else 0
    if not found or not count:
        raise UsageProblem(f"--split-size {text}: a size is needed, such as 4G or 500M")
    return int(count)


def _tokenizer(request: Request, run: Job | None) -> Path:
    """That of the run where there is one: it is the one that training used."""
    path = student.tokenizer_file(run) if run else request.base / "tokenizer.json"
    if not path.is_file():
        raise ExportProblem(
            f"{path} is missing",
            hint="a model is a folder as transformers saves it: config.json, tokenizer.json, "
            "*.safetensors",
        )
    return path


def _labels(request: Request, merged: Merged, run: Job | None) -> Labels:
    if run is not None:
        found = lineage.of_run(run, scores=True)
    else:
        found = lineage.of_folders(
            request.base, request.adapter, merged.adapter.config, request.licence
        )
    found = dataclasses.replace(
        found, name=request.name or found.name, licence=request.licence or found.licence
    )
    llama = "Built with Llama" in found.description
    if llama and not found.name.startswith("Llama"):
        raise ExportProblem(
            f"the name {found.name!r}: what is made from {request.base.name} (licence "
            f"{found.licence}) must have a name that begins with Llama, says the licence of Llama",
            hint=f"--name Llama-{found.name}",
        )
    return found


def _target(request: Request, labels: Labels, type_name: str) -> Path:
    """The file: as it was named, or by the convention of the hub, NAME-TYPE.gguf."""
    out = request.out or Path()
    if out.suffix == ".gguf" and not out.is_dir():
        return out
    if out.exists() and not out.is_dir():
        raise UsageProblem(f"--out {out}: a file of GGUF ends in .gguf", hint=f"--out {out}.gguf")
    kind = "-LoRA" if request.adapter_only else ""
    return out / f"{re.sub(r'[^A-Za-z0-9._+-]', '-', labels.name)}-{type_name}{kind}.gguf"


def described(prepared: Prepared) -> Iterator[str]:
    """What will be made, what it takes, and what is to be expected of it; line by line."""
    order, merged = prepared.order, prepared.merged
    if prepared.request.adapter_only:
        yield f"adapter   {prepared.request.adapter}: {_kind(merged)}, alone, {order.type.name}"
        yield f"file      {order.target}"
        return
    found = making.layouts(order)
    need = making.need(order, found)
    weights = sum(math.prod(tensor.shape) for tensor in order.content.tensors)
    family = order.content.family
    yield (
        f"model     {order.content.labels.name}: {family.model_type}, {scaled(weights)} weights in "
        f"{len(order.content.tensors)} tensors, licence {order.content.labels.licence}"
    )
    if prepared.request.adapter:
        yield f"adapter   {prepared.request.adapter}: {_kind(merged)}"
    between = f", and {size(need.between)} in float16 on the way" if need.between else ""
    parts = f" in {len(found)} files" if len(found) > 1 else ""
    yield f"file      {order.target}: {size(need.result)}{parts}{between}"
    free = shutil.disk_usage(_existing(order.target.parent)).free
    yield f"disk      {size(need.result + need.between)} of the {size(free)} that are free"
    expected = types.DIVERGENCE.get(order.type.name)
    told = (
        f"{expected:g} nats from float16 on average (Llama 3 8B, measured by llama.cpp)"
        if expected is not None
        else "not measured by anybody on a model of this size"
    )
    yield f"quality   {order.type.name}: {told}; --verify measures this one"


def _kind(merged: Merged) -> str:
    config = merged.adapter.config
    name = "DoRA" if config.get("use_dora") else "rsLoRA" if config.get("use_rslora") else "LoRA"
    saved = len(merged.adapter.saved)
    kept = f", {saved} tensors as a whole" if saved else ""
    return f"{name} of rank {config['r']}, {len(merged.adapter.changes)} matrices{kept}"


def _existing(folder: Path) -> Path:
    """The folder itself or the nearest one above that exists."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())


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
    if request.adapter_only:
        order.target.parent.mkdir(parents=True, exist_ok=True)
        adapter_gguf.write(prepared.merged, order.target, order.content.labels, order.type.name)
        return [order.target]
    if request.imatrix_text is not None:
        order = dataclasses.replace(order, importance=_importance(prepared, request.imatrix_text))
    made = making.make(order)
    if request.verify:
        _verify(prepared, made[0])
    return made


def _importance(prepared: Prepared, text: Path) -> dict[str, np.ndarray]:
    """How much each column of each matrix matters for a text."""
    merged, tokenizer = prepared.merged, Tokenizer.from_file(str(prepared.tokenizer))
    words = text.read_text(encoding="utf-8", errors="replace")
    rows = list(samples.rows(tokenizer, [words], _IMPORTANCE_TOKENS, _IMPORTANCE_ROW))
    with _layers("importance", "layers") as on_progress:
        return importance.of_text(merged, rows, on_progress=on_progress)


def _verify(prepared: Prepared, file: Path) -> None:
    request, content = prepared.request, prepared.order.content
    task = proof.Task(
        prepared.merged, prepared.tokenizer, prepared.order.type.name,
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
    progress.say(f"within the bounds of {found.type}; the report is in {report}")


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
