"""What a person asks of an export, and everything that is refused before it begins."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ExportProblem, UsageProblem
from training import student
from training.export import adapter_gguf, basis, content, folder, lineage, merging, types
from training.export.folder import Folder
from training.export.making import Order
from training.export.merging import Merged
from training.export.metadata import Labels
from training.stages import Job

_TOKENIZER = "tokenizer.json"
_SPLIT = re.compile(r"(\d+(?:\.\d+)?)([MG])B?", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """What a person has asked for.

    Attributes:
        base: the folder of the model.
        adapter: that of the adapter, or None.
        out: the file, or a folder for it; None: the present folder.
        type_name: how matrices are stored; empty: Q8_0, an adapter alone F32. `safetensors`: a
            folder for transformers.
        adapter_only: write the adapter, to be served with a base in GGUF.
        name: of the model; empty: made from where it comes from.
        licence: of the model; empty: what its files say.
        split: largest size of one file, such as `4G`; empty: one file.
        imatrix_text: a file whose text says which columns matter, or None.
        verify: compare the file with the torch model.
        verify_text: a file with the text for that, or None.
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
    threads: int = 1


@dataclass(frozen=True)
class Prepared:
    """A request that can be fulfilled: everything that can be refused has been looked at."""

    request: Request
    order: Order | Folder
    merged: Merged
    tokenizer: Path
    run: Job | None


def prepare(request: Request) -> Prepared:
    """Look at all that is needed, and at everything that would go wrong later.

    Raises:
        UsageProblem: an option is wrong.
        ExportProblem: the model can not be exported, or the adapter is not of this base.
    """
    if request.type_name.lower() == folder.NAME:
        return _folder(request)
    found = types.find(request.type_name or ("F32" if request.adapter_only else "Q8_0"))
    split = split_bytes(request.split)
    if request.adapter_only:
        _check_adapter_only(request)
    if split and not found.direct:
        raise UsageProblem(
            f"--split-size is for types that are written directly, and {found.name} is not",
            hint="leave out --split-size, or take --type Q8_0",
        )
    if request.imatrix_text is None and found.needs_text:
        raise UsageProblem(
            f"{found.name} drops so much that it has to be told what matters least",
            hint="--imatrix-text FILE, a text like that which the model will see",
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
    run = _run(request)
    tokenizer = _tokenizer(request, run)
    if not tokenizer.is_file():
        raise ExportProblem(
            f"{tokenizer} is missing",
            hint="a model is a folder as transformers saves it: config.json, tokenizer.json, "
            "*.safetensors",
        )
    labels = _labels(request, merged, run)
    inputs = tuple(path for path in (request.base, request.adapter, tokenizer) if path)
    order = Order(
        content.of(merged, tokenizer, labels), _target(request, labels, found.name), found.name,
        inputs, split, request.threads,
    )  # fmt: skip
    return Prepared(request, order, merged, tokenizer, run)


def _folder(request: Request) -> Prepared:
    """The merged model for transformers."""
    _refuse(request, "a folder of safetensors", "--adapter-only")
    merged = merging.opened(request.base, request.adapter)
    run = _run(request)
    tokenizer = _tokenizer(request, run)
    labels = _labels(request, merged, run)
    target = request.out or Path(f"{_file_name(labels.name)}-merged")
    wanted = folder.plan(merged, target, request.adapter, tokenizer)
    return Prepared(request, wanted, merged, tokenizer, run)


def _run(request: Request) -> Job | None:
    """The run that made the adapter, which must have tuned this very base."""
    run = lineage.run_of(request.adapter) if request.adapter else None
    if run is not None:
        basis.check(run, request.base)
    return run


def _refuse(request: Request, what: str, *more: str) -> None:
    """Options that mean nothing for what is made."""
    given = {
        "--split-size": request.split, "--imatrix-text": request.imatrix_text,
        "--verify": request.verify, "--adapter-only": request.adapter_only,
    }  # fmt: skip
    for option, value in given.items():
        if value and (option != "--adapter-only" or option in more):
            raise UsageProblem(f"{option} is not for {what}", hint=f"leave out {option}")


def _check_adapter_only(request: Request) -> None:
    if request.adapter is None:
        raise UsageProblem("--adapter-only needs an adapter", hint="--adapter DIR")
    if (name := request.type_name.upper()) and name not in adapter_gguf.TYPES:
        raise UsageProblem(
            f"an adapter is not written as {name}",
            hint=f"--type {', '.join(adapter_gguf.TYPES)} (an adapter is small)",
        )
    _refuse(request, "an adapter alone")


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
    """The one that training used: the run's; else the adapter's, where tokens were added; else
    the base's, which may be missing."""
    if run is not None:
        return student.tokenizer_file(run)
    if request.adapter is not None and (request.adapter / _TOKENIZER).is_file():
        return request.adapter / _TOKENIZER
    return request.base / _TOKENIZER


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
    return out / f"{_file_name(labels.name)}-{type_name}{kind}.gguf"


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "-", name)
