"""Make a model smaller with llama.cpp's own quantiser: the types that mix several block formats.

It is one C call, so it runs in a process of its own (`quantising.py`): Ctrl-C ends it at once, a
crash is an error with a reason, and the file gets its name when it is whole. Weights are read from
the source through its mapping, row by row; what it holds beside them is at most `BUFFER_BYTES`.

Absent: F32, F16, BF16 (the export writes them directly), and where an importance matrix comes from.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from assistant.engine.quantiser_types import TYPES as TYPES
from assistant.engine.quantiser_types import Type as Type
from assistant.errors import ExportProblem
from assistant.models import loadable
from assistant.models.gguf import BLOCKS, TYPE_NAMES, Header

if TYPE_CHECKING:
    import numpy
    import numpy.typing

BUFFER_BYTES = 512 << 20
"""Of rows in work at once; llama.cpp's own choice is 8 GiB."""
PARTIAL = ".partial"
_ROOT = Path(__file__).resolve().parents[2]
_ALIGNMENT = 32

Importance = Mapping[str, "numpy.typing.NDArray[numpy.float32]"]
"""How much each input of a matrix counts, by llama.cpp's name of the matrix: the mean of its square
over some text, float32, ``(inputs,)``."""
OnProgress = Callable[[int, int], None]
"""Told the tensors that are done, and how many there are."""


@dataclass(frozen=True)
class Plan:
    """What will be made of each tensor, from a run that computes nothing."""

    bytes: int
    """Of the file."""
    types: Mapping[str, str]
    """Such as `Q4_K`, by tensor, in the order in which they are written."""
    fallbacks: int
    """Matrices whose rows do not divide into the blocks of their type and get a larger one."""


@dataclass(frozen=True)
class Quantised:
    """What was made."""

    bytes: int
    """Of the file."""
    types: Mapping[str, str]
    """By tensor."""
    fallbacks: int
    """As in `Plan`."""
    anonymous_bytes: int
    """Memory of the quantiser at most, mapped files apart; 0 where the system does not say."""


def planned(source: Path, type_name: str, *, importance: bool = False) -> Plan:
    """What `quantise` would make, without the weights: of `source` only the header is read.

    Args:
        source: a GGUF file; what follows its header may be a hole of the right size.
        type_name: one of `TYPES`.
        importance: there will be an importance matrix. Some types are mixed otherwise then.

    Raises:
        ExportProblem: there is no such type, or llama.cpp refuses.
        ModelProblem: the file is broken.
    """
    chosen, header = _type(type_name), loadable.read(source)
    job = _job(source, source, chosen, threads=1) | {"dry": True}
    # Which it is makes no difference here, only that there is one.
    with _running(job, {"none": [1.0]} if importance else {}) as lines:
        found = _Found.of(lines, header, None)
    return Plan(_file_bytes(header, found.types), found.types, found.fallbacks)


def predicted_bytes(source: Path, type_name: str, *, importance: bool = False) -> int:
    """The size of the file that `quantise` would write; as `planned`, which also has its errors."""
    return planned(source, type_name, importance=importance).bytes


def quantise(
    source: Path,
    target: Path,
    type_name: str,
    *,
    threads: int,
    imatrix: Importance | None = None,
    on_progress: OnProgress | None = None,
) -> Quantised:
    """Write the model in `source` to `target`, most of its matrices in smaller types.

    Args:
        source: a GGUF file in F32, F16 or BF16.
        target: takes its name when it is whole. Until then there is `target` with `.partial`
            behind its name, which is removed when it ends in any other way.
        type_name: one of `TYPES`.
        threads: CPU threads.
        imatrix: an importance matrix, of all matrices of the layers at least.
        on_progress: told how far it is; may raise to end it.

    Raises:
        ExportProblem: there is no such type, the importance matrix does not fit, there is no room
            on the disk, or llama.cpp fails.
        ModelProblem: the source is broken.
    """
    chosen, header = _type(type_name), loadable.read(source)
    _check_source(header, type_name)
    values = _checked(imatrix, header, type_name) if imatrix is not None else {}
    if chosen.needs_importance and not values:
        raise ExportProblem(
            f"{type_name} can not be made without an importance matrix: what it drops has to be "
            "what matters least.",
            hint="Give a text to compute it from, like that which the model will see: "
            "--imatrix-text FILE",
        )
    plan = planned(source, type_name, importance=bool(values))
    partial = target.with_name(target.name + PARTIAL)
    partial.unlink(missing_ok=True)  # what a process left that was killed
    _check_room(target, plan.bytes)
    job = _job(source, partial, chosen, threads)
    try:
        with _running(job, values) as lines:
            found = _Found.of(lines, header, on_progress)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        size = partial.stat().st_size
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return Quantised(size, found.types, found.fallbacks, found.anonymous)


@dataclass
class _Found:
    """What the process told."""

    types: dict[str, str]
    fallbacks: int = 0
    anonymous: int = 0

    @classmethod
    def of(
        cls, lines: Iterator[dict[str, Any]], header: Header, on_progress: OnProgress | None
    ) -> _Found:
        tensors = loadable.tensors_of_parts(header)
        found, name, count = cls({}), "", 0
        for line in lines:
            if "tensor" in line:
                name, count = line["tensor"], line["of"]
                found.types[name] = TYPE_NAMES[tensors[name].type]
                if on_progress is not None:
                    on_progress(line["number"] - 1, count)
            found.types |= {name: line["becomes"]} if "becomes" in line else {}
            found.fallbacks = line.get("fallbacks", found.fallbacks)
            found.anonymous = line.get("anonymous", found.anonymous)
        if on_progress is not None:
            on_progress(count, count)
        return found


def _type(name: str) -> Type:
    if name not in TYPES:
        raise ExportProblem(
            f"llama.cpp makes nothing of the type {name!r}; there are: {', '.join(TYPES)}.",
            hint="--type Q4_K_M is the usual choice for a laptop",
        )
    return TYPES[name]


def _check_source(header: Header, type_name: str) -> None:
    kinds = {TYPE_NAMES.get(t.type, str(t.type)) for t in header.tensors} - {"F32", "F16", "BF16"}
    if kinds:
        raise ExportProblem(
            f"{header.path} is quantised already ({', '.join(sorted(kinds))}): to make {type_name} "
            "of it would lose twice.",
            hint="Begin with a file of the type F16, BF16 or F32.",
        )


def _checked(imatrix: Importance, header: Header, type_name: str) -> dict[str, Any]:
    """The importance matrix as bytes can be sent of it, once it is seen to fit the model."""
    import numpy

    tensors = loadable.tensors_of_parts(header)
    for name, values in imatrix.items():
        tensor = tensors.get(name)
        if tensor is None:
            raise _no_importance(header, f"it has {name!r}, which the model has not")
        if values.shape != (tensor.shape[0],):
            raise _no_importance(
                header, f"{name!r} has values of {values.shape} for {tensor.shape[0]} inputs"
            )
        if not numpy.isfinite(values).all() or (values < 0).any() or not values.any():
            raise _no_importance(
                header, f"{name!r} has values that are no numbers, below 0, or all 0"
            )
    wanted = {n for n, t in tensors.items() if n.startswith("blk.") and len(t.shape) > 1}
    if TYPES[type_name].needs_importance and (left := wanted - set(imatrix)):
        raise _no_importance(header, f"it has nothing of {sorted(left)[0]!r}")
    return {n: numpy.ascontiguousarray(v, dtype="<f4") for n, v in imatrix.items()}


def _no_importance(header: Header, why: str) -> ExportProblem:
    return ExportProblem(
        f"The importance matrix does not fit {header.path.name}: {why}.",
        hint="Compute it from the same model: --imatrix-text FILE",
    )


def _check_room(target: Path, needed: int) -> None:
    if not target.parent.is_dir():
        raise ExportProblem(f"There is no folder {target.parent} to write {target.name} to.")
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise ExportProblem(
            f"{target.name} will have {needed / 1e9:.2f} GB, and {target.parent} has room for "
            f"{free / 1e9:.2f} GB.",
            hint="Make room, or choose another place with --out.",
        )


def _file_bytes(header: Header, types: Mapping[str, str]) -> int:
    """The size of a file with the same header and tensors of other types.

    Right to the byte where the source has all keys that llama.cpp writes, as every export has.
    """
    numbers = {name: number for number, name in TYPE_NAMES.items()}
    total = min(tensor.start for tensor in header.tensors)
    for name, tensor in loadable.tensors_of_parts(header).items():
        elements, size = BLOCKS[numbers[types[name]]]
        total += -(-math.prod(tensor.shape) // elements * size // _ALIGNMENT) * _ALIGNMENT
    return total


def _job(source: Path, target: Path, chosen: Type, threads: int) -> dict[str, Any]:
    return {
        "source": str(source), "target": str(target), "type": chosen.number, "threads": threads,
        "buffer": BUFFER_BYTES, "dry": False,
    }  # fmt: skip


@contextlib.contextmanager
def _running(
    job: Mapping[str, Any], importance: Mapping[str, Any]
) -> Iterator[Iterator[dict[str, Any]]]:
    """The lines that the process writes, until its job is done; it is ended with the block."""
    import numpy

    values = {name: numpy.asarray(one, dtype="<f4") for name, one in importance.items()}
    entries = [[name, len(one)] for name, one in values.items()]
    code = "import sys; sys.path.insert(0, sys.argv[1])\nfrom assistant.engine import quantising\n"
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code + "quantising.main()", str(_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            # A Ctrl-C is for this process, which ends the other.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps({**job, "importance": entries}).encode() + b"\n")
                for one in values.values():
                    process.stdin.write(one.tobytes())
                process.stdin.flush()
            yield _lines(process, process.stdout, said)
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.close()


def _lines(
    process: subprocess.Popen[bytes], answers: IO[bytes], said: IO[bytes]
) -> Iterator[dict[str, Any]]:
    for text in answers:
        line = json.loads(text)
        if "error" in line:
            raise _failed(line["error"])
        yield line
        if "done" in line:
            return
    code = process.wait()
    said.seek(0)
    last = said.read()[-2000:].decode("utf-8", "replace").strip().rpartition("\n")[2]
    why = f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}"
    raise ExportProblem(
        f"llama.cpp's quantiser did not finish: {why}{': ' + last if last else ''}.",
        hint="If something ended it for want of memory, try again with fewer --threads.",
    )


def _failed(why: str) -> ExportProblem:
    if "iostream" in why or "ios_base" in why:
        return ExportProblem(
            f"llama.cpp could not write the file: {why}. Probably the disk is full.",
            hint="Make room, or choose another place with --out, and start again.",
        )
    return ExportProblem(f"llama.cpp's quantiser failed: {why}.")
