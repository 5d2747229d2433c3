"""Judging, ours against evalplus 0.3.1: the same samples and data, the same number of workers.

    make bench-eval [ARGS="--runs 5"]

The samples are the published answers of Qwen2.5-Coder 1.5B to HumanEval, judged on the base and
the plus inputs of HumanEval+ v0.1.10. The peer gets an environment of its own under out/, by pip,
and is called in its own process; what it needs to ask models (`datasets`, `codegen`) is replaced
by empty modules there, as nothing is asked. Both have their ground truth computed beforehand.

Times: the peer's is its `evaluate()` alone, without starting Python and importing; ours is the
whole command, start and structural scores included. The runs alternate; medians count.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ASSISTANT_DATA") or ROOT.parent / "shared" / "data")
PLACE = ROOT / "out" / "bench-eval"
PEER = "evalplus==0.3.1"
NEEDS = (
    "numpy", "psutil", "termcolor", "tqdm", "wget", "appdirs", "tempdir", "multipledispatch",
    "rich", "fire", "tree_sitter", "tree_sitter-python",
)  # fmt: skip
_PEER_PROGRAM = """
import json, os, sys, time, types
for name in ("datasets", "evalplus.codegen"):
    module = types.ModuleType(name)
    module.load_dataset = module.run_codegen = None
    sys.modules[name] = module
from evalplus.evaluate import evaluate
samples, workers, answer = sys.argv[1:]
results = samples.replace(".jsonl", "_eval_results.json")
if os.path.exists(results):
    os.remove(results)
started = time.perf_counter()
evaluate(dataset="humaneval", samples=samples, parallel=int(workers), i_just_wanna_run=True)
seconds = time.perf_counter() - started
with open(results) as file:
    found = json.load(file)["eval"]
verdicts = {task: [rows[0]["base_status"], rows[0]["plus_status"]] for task, rows in found.items()}
with open(answer, "w") as file:
    json.dump({"seconds": seconds, "verdicts": verdicts}, file)
os._exit(0)  # a thread of its own sleeps for up to 20 seconds more
"""

Verdicts = dict[str, tuple[bool, bool]]
"""Base, and base with plus, by task."""


def prepare_peer() -> Path:
    """The peer's Python, installed on first use."""
    python = PLACE / "venv" / "bin" / "python"
    if not (PLACE / "venv" / ".ready").exists():
        print(f"Installing {PEER} in {PLACE / 'venv'} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE / "venv"], check=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        subprocess.run([*pip, *NEEDS], check=True)
        subprocess.run([*pip, "--no-deps", PEER], check=True)
        (PLACE / "venv" / ".ready").touch()
    return python


def prepare_samples(folder: Path) -> tuple[Path, Path]:
    """The published programs as samples, and the data unpacked: the peer takes it so."""
    name = "qwen25coder_generations/1.5b-base.humaneval.generated_eval_results.json"
    published = json.loads((DATA / name).read_bytes())["eval"]
    samples = folder / "samples.jsonl"
    rows = [
        {"task_id": task, "solution": found[0]["solution"]} for task, found in published.items()
    ]
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = folder / "HumanEvalPlus.jsonl"
    with gzip.open(DATA / "humaneval_plus" / "HumanEvalPlus.jsonl.gz") as packed:
        data.write_bytes(packed.read())
    return samples, data


def run_peer(python: Path, samples: Path, data: Path, workers: int) -> tuple[float, Verdicts]:
    """Seconds and verdicts of one run of the peer."""
    answer = samples.with_name("peer.json")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(PLACE),
        "XDG_CACHE_HOME": str(PLACE / "cache"),
        "HUMANEVAL_OVERRIDE_PATH": str(data),
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [python, "-c", _PEER_PROGRAM, samples, str(workers), answer]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{PEER} failed:\n{done.stderr[-2000:]}")
    found = json.loads(answer.read_bytes())
    verdicts = {
        task: (base == "pass", base == plus == "pass")
        for task, (base, plus) in found["verdicts"].items()
    }
    return found["seconds"], verdicts


def run_ours(samples: Path, data: Path, workers: int, folder: Path) -> tuple[float, Verdicts]:
    """Seconds and verdicts of one run of `assistant eval`."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "assistant", "eval", "humaneval+", "--samples", samples]
    command += ["--data", data, "--workers", str(workers), "--out", folder]
    environment = dict(os.environ, ASSISTANT_HOME=str(PLACE / "home"))
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"assistant eval failed:\n{done.stderr[-2000:]}")
    rows = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    return seconds, {row["task_id"]: (row["base"] == "pass", row["plus"] == "pass") for row in rows}


def show(name: str, seconds: list[float], tasks: int) -> float:
    """One line; the median number of tasks a second."""
    rate = tasks / statistics.median(seconds)
    each = ", ".join(f"{one:.1f}" for one in seconds)
    print(f"{name:<16} {rate:6.2f} tasks/s   (seconds a run: {each})")
    return rate


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.eval", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each (default 3)")
    parser.add_argument("--workers", type=int, default=2, help="of each (default 2)")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"no benchmark data at {DATA}; set ASSISTANT_DATA to its folder")
        return 1
    PLACE.mkdir(parents=True, exist_ok=True)
    python = prepare_peer()
    with tempfile.TemporaryDirectory(prefix="bench-eval-") as name:
        folder = Path(name)
        samples, data = prepare_samples(folder)
        ours: list[float] = []
        theirs: list[float] = []
        # The first run of each computes the ground truth and does not count.
        for counted in (False, *[True] * args.runs):
            their_s, their = run_peer(python, samples, data, args.workers)
            our_s, our = run_ours(samples, data, args.workers, folder / "results")
            if counted:
                theirs.append(their_s)
                ours.append(our_s)
    print(f"{len(our)} samples of HumanEval+, base and plus, {args.workers} workers")
    their_rate, our_rate = show(PEER, theirs, len(their)), show("assistant eval", ours, len(our))
    print(f"ratio            {our_rate / their_rate:6.2f}")
    differing = sorted(
        task for task in our.keys() | their.keys() if our.get(task) != their.get(task)
    )
    print(f"verdicts that differ: {len(differing)}")
    for task in differing:
        print(f"  {task}: evalplus {their.get(task)}, ours {our.get(task)} (base, base and plus)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
