"""The steps of both sides, each a command that is measured."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.export import cold, kept
from tests.bench.export.kept import Kept
from tests.bench.export.measuring import Usage, measured
from tests.bench.export.peer import Tools

ROOT = Path(__file__).resolve().parents[3]
USUAL, OURS = "usual", "ours"
MERGE, CONVERT, EXPORT = "peft merge", "convert_hf_to_gguf.py", "assistant export, F16"
QUANTISE, EXPORT_QUANTISED = "llama-quantize", "assistant export, Q4_K_M"
QUANTISED = "Q4_K_M"
_QUANTISER = "quantis"
"""Is in the command line of the process that our command starts for it."""


@dataclass(frozen=True)
class Step:
    """A command of a side.

    Attributes:
        name: which.
        usage: what it used.
        flushed: seconds after its end until its result was on the disk.
        result: bytes of its result.
    """

    name: str
    usage: Usage
    flushed: float
    result: int


@dataclass(frozen=True)
class Side:
    """What was measured of a side.

    Attributes:
        name: which.
        steps: in their order.
        kept: what its F16 file holds.
        cached: bytes of the base and the adapter that were in the page cache when it began.
    """

    name: str
    steps: tuple[Step, ...]
    kept: Kept
    cached: int

    def step(self, name: str) -> Step:
        """One of its steps."""
        return next(step for step in self.steps if step.name == name)

    def first(self) -> tuple[Step, ...]:
        """Those that make the F16 file."""
        return tuple(step for step in self.steps if step.name in (MERGE, CONVERT, EXPORT))

    def quantiser_seconds(self) -> float:
        """Of the quantiser alone: of its process; where it has none, what Q4_K_M takes more."""
        if self.name == USUAL:
            return self.step(QUANTISE).usage.seconds
        whole = self.step(EXPORT_QUANTISED).usage
        own = [one.seconds for one in whole.processes[1:] if _QUANTISER in one.command]
        return max(own) if own else whole.seconds - self.step(EXPORT).usage.seconds


@dataclass(frozen=True)
class Bench:
    """One run.

    Attributes:
        base: folder of the base.
        adapter: folder of the adapter.
        folder: for everything that the sides write.
        tools: of the usual way.
        threads: for whatever can use several.
        keep: leave the quantised files.
    """

    base: Path
    adapter: Path
    folder: Path
    tools: Tools
    threads: int
    keep: bool

    def side(self, name: str) -> Side:
        """Measure a side, from cold files to no files."""
        cached = cold.dropped([self.base, self.adapter])
        steps: list[Step] = []
        try:
            found = {USUAL: self._usual, OURS: self._ours}[name](steps)
        finally:
            for path in self.folder.glob(f"{name}-*"):
                if not (self.keep and path.name == f"{name}-{QUANTISED}.gguf"):
                    _delete(path)
        return Side(name, tuple(steps), found, cached)

    def _usual(self, steps: list[Step]) -> Kept:
        merged = self.folder / "usual-merged"
        middle, last = self._files(USUAL)
        python = self.tools.python
        merge = [python, "-m", "tests.bench.export.merge", self.base, self.adapter, merged]
        steps.append(self._step(MERGE, merge, merged))
        convert = [python, self.tools.converter, merged, "--outfile", middle, "--outtype", "f16"]
        steps.append(self._step(CONVERT, convert, middle))
        _delete(merged)
        found = kept.read(middle, self.base, self.adapter)
        quantise = [self.tools.quantiser, middle, last, QUANTISED, str(self.threads)]
        steps.append(self._step(QUANTISE, quantise, last))
        return found

    def _ours(self, steps: list[Step]) -> Kept:
        middle, last = self._files(OURS)
        given = [sys.executable, "-m", "assistant", "export"]
        given += ["--base", str(self.base), "--adapter", str(self.adapter)]
        steps.append(self._step(EXPORT, [*given, "--out", middle, "--type", "F16"], middle))
        found = kept.read(middle, self.base, self.adapter)
        _delete(middle)
        cold.dropped([self.base, self.adapter])
        command = [*given, "--out", last, "--type", QUANTISED]
        steps.append(self._step(EXPORT_QUANTISED, command, last))
        return found

    def _files(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}-F16.gguf", self.folder / f"{name}-{QUANTISED}.gguf"

    def _step(self, name: str, command: Sequence[str | Path], result: Path) -> Step:
        print(f"  {name} ...", end=" ", flush=True)
        environment = {
            "HF_HUB_OFFLINE": "1", "HF_HOME": str(self.folder / "hub"), "NO_COLOR": "1",
            "ASSISTANT_HOME": str(self.folder / "home"), "OMP_NUM_THREADS": str(self.threads),
            "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        log = self.folder / f"log-{name.partition(',')[0].replace(' ', '-')}-{result.stem}.txt"
        usage = measured(command, log, ROOT, environment)
        flushed = cold.flushed([result])
        step = Step(name, usage, flushed, _size(result))
        print(f"{usage.seconds:.0f} s, {usage.anonymous / 1e9:.2f} GB anonymous", flush=True)
        return step


def measure(bench: Bench, names: Sequence[str], told: Callable[[Side], None]) -> list[Side]:
    """The sides, one after another.

    Args:
        bench: what to measure.
        names: of the sides.
        told: is given each side when it is done, so that nothing is lost by what comes after.
    """
    found = []
    for name in names:
        print(f"{name}:", flush=True)
        found.append(bench.side(name))
        told(found[-1])
    return found


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
