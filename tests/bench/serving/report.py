"""What was measured, as a table for people and as JSON with every single value."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.serving.peer import Peer


@dataclass(frozen=True)
class Series:
    """Repeated measurements of one thing."""

    name: str
    """Whose: ours, llama-server, llama-bench, ..."""
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """Nineteen of twenty are at most this."""
        return percentile(self.values, 0.95)

    def __str__(self) -> str:
        least, most = min(self.values), max(self.values)
        return f"{self.name} {self.median:.4g} ({least:.4g} to {most:.4g}, n={len(self.values)})"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    section: str
    model: str
    what: str
    """What was measured, with its unit."""
    series: tuple[Series, ...]
    result: str = ""
    """The figure that is held against the target."""
    target: str = ""
    met: bool | None = None
    """None: there is no target, it stands beside."""


@dataclass
class Report:
    """Rows as they come: printed at once, and written to a file that keeps other sections' rows."""

    path: Path
    facts: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Print a row and write it down."""
        self.rows.append(row)
        verdict = {True: "met", False: "NOT MET", None: ""}[row.met]
        target = f"{row.result}; target {row.target}: {verdict}" if row.target else row.result
        print(f"{row.section:<8} {row.model:<8} {row.what:<46} {target}")
        for series in row.series:
            print(f"{'':<18}{series}", flush=True)
        self._write()

    def _write(self) -> None:
        done = {row.section for row in self.rows}
        older = []
        if self.path.is_file():
            older = json.loads(self.path.read_text())["rows"]
        older = [row for row in older if row["section"] not in done]
        rows = [asdict(row) | {"facts": self.facts} for row in self.rows]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": 1, "rows": older + rows}, indent=1)
        partial = self.path.with_suffix(".part")
        partial.write_text(text + "\n")
        partial.replace(self.path)


def paired(ours: Series, theirs: Series, compare: Callable[[float, float], float]) -> float:
    """The median of what each round makes of its two values.

    A machine whose speed drifts from minute to minute changes both values of a round alike.
    """
    rounds = zip(ours.values, theirs.values, strict=True)
    return statistics.median(compare(mine, its) for mine, its in rounds)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not above (the nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def facts(peer: Peer) -> dict[str, Any]:
    """The machine and the versions."""
    return {
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "llama-cpp-python": version("llama-cpp-python"),
        "llama.cpp": peer.commit(),
        "assistant": _commit(),
        "environment": {name: os.environ[name] for name in os.environ if "OMP_" in name},
    }


def processor() -> str:
    """The name of this machine's."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str:
    line = ["git", "describe", "--always", "--dirty"]
    folder = Path(__file__).parent
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip()
