"""Judging, ours against evalplus 0.3.1: the same samples and data, the same number of workers.

    make bench-eval [ARGS="--runs 5"]

The samples are the published answers of Qwen2.5-Coder 1.5B to HumanEval, judged on the base and
the plus inputs of HumanEval+ v0.1.10. The peer gets an environment of its own under out/, by pip,
and is called in its own process; what it needs to ask models (`datasets`, `codegen`) is replaced
by empty modules there, as nothing is asked. Both have their ground truth computed beforehand.

Times: the peer's is its `evaluate()` alone, without starting Python and importing. Ours is told
twice: the whole command as a user waits for it, and without the start of Python and the imports,
as the peer's is; both include what the peer does not compute, the structural scores. Nothing is
remembered of a sample by either. The runs alternate, and so does who is first; medians count.
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
PUBLISHED = "qwen25coder_generations/1.5b-base.humaneval.generated_eval_results.json"
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

_OUR_PROGRAM = """
import sys, time
from assistant.benchmarks import evaluation, samples, summary, worker
from assistant.benchmarks.codebleu import score
from assistant.cli import eval, main, progress
started = time.perf_counter()
status = main.main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(time.perf_counter() - started))
sys.exit(status)
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
    published = json.loads((DATA / PUBLISHED).read_bytes())["eval"]
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


def run_ours(
    samples: Path, data: Path, workers: int, folder: Path
) -> tuple[float, float, Verdicts]:
    """Seconds of the whole command and of its work alone, and verdicts, of one run."""
    shutil.rmtree(folder, ignore_errors=True)
    answer = samples.with_name("ours.txt")
    command = [sys.executable, "-c", _OUR_PROGRAM, answer]
    command += ["eval", "humaneval+", "--samples", samples, "--data", data]
    command += ["--workers", str(workers), "--out", folder]
    environment = dict(os.environ, ASSISTANT_HOME=str(PLACE / "home"))
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"assistant eval failed:\n{done.stderr[-2000:]}")
    rows = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    verdicts = {row["task_id"]: (row["base"] == "pass", row["plus"] == "pass") for row in rows}
    return seconds, float(answer.read_text()), verdicts


def published_verdicts() -> Verdicts:
    """What was published with the samples."""
    found = json.loads((DATA / PUBLISHED).read_bytes())["eval"]
    return {
        task: (
            rows[0]["base_status"] == "pass",
            rows[0]["base_status"] == rows[0]["plus_status"] == "pass",
        )
        for task, rows in found.items()
    }


def compare(name: str, theirs: Verdicts, ours: Verdicts) -> None:
    """Every verdict that differs, by its task."""
    differing = sorted(
        task for task in ours.keys() | theirs.keys() if ours.get(task) != theirs.get(task)
    )
    print(f"verdicts that differ from {name}: {len(differing)}")
    for task in differing:
        print(f"  {task}: {name} {theirs.get(task)}, ours {ours.get(task)} (base, base and plus)")


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
        whole: list[float] = []
        alone: list[float] = []
        theirs: list[float] = []
        seen: list[tuple[Verdicts, Verdicts]] = []
        # The first run of each computes the ground truth and does not count.
        for number in range(args.runs + 1):
            if number % 2:
                ours = run_ours(samples, data, args.workers, folder / "results")
                their_s, their = run_peer(python, samples, data, args.workers)
            else:
                their_s, their = run_peer(python, samples, data, args.workers)
                ours = run_ours(samples, data, args.workers, folder / "results")
            seen.append((their, ours[2]))
            if number:
                theirs.append(their_s)
                whole.append(ours[0])
                alone.append(ours[1])
    tasks = len(seen[0][1])
    print(f"{tasks} samples of HumanEval+, base and plus, {args.workers} workers")
    their_rate = show(PEER, theirs, tasks)
    our_rate = show("assistant eval", alone, tasks)
    whole_rate = show("whole command", whole, tasks)
    print(f"ratio            {our_rate / their_rate:6.2f}")
    print(f"  whole command  {whole_rate / their_rate:6.2f}")
    published = published_verdicts()
    for number, (their, our) in enumerate(seen):
        # Each run's verdicts are looked at: one of either on a busy machine may differ.
        if number == 0 or (their, our) != seen[number - 1]:
            print(f"run {number}:")
            compare("the published", published, our)
            compare(PEER, their, our)
    return 0


if __name__ == "__main__":
    sys.exit(main())
