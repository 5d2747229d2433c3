"""What was measured, for people and as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is at most."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Figures:
    """Rows of milliseconds, printed as they come."""

    rows: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, values: Sequence[float], target: str = "") -> None:
        """Print a row and keep its values."""
        self.rows[name] = [round(value, 3) for value in values]
        if not values:
            print(f"{name:<58} nothing was measured", flush=True)
            return
        p50, p95, p99 = (percentile(values, share) for share in (0.5, 0.95, 0.99))
        told = f"  target: {target}" if target else ""
        print(f"{name:<58}{p50:9.2f}{p95:9.2f}{p99:9.2f}{len(values):6}{told}", flush=True)

    def head(self) -> None:
        """The names of the columns."""
        print(f"{'milliseconds':<58}{'p50':>9}{'p95':>9}{'p99':>9}{'n':>6}", flush=True)

    def median(self, name: str) -> float:
        """The middle of a row."""
        return statistics.median(self.rows[name])

    def write(self, path: Path) -> None:
        """Every single value."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")
