"""`assistant eval`: judge samples, or a model, on a benchmark."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.cli import terminal
from assistant.errors import AssistantError, UsageProblem

if TYPE_CHECKING:
    from assistant.benchmarks.catalogue import Benchmark
    from assistant.benchmarks.problems import Problem
    from assistant.benchmarks.samples import SamplesFile

_SHOWN = 20
_EPILOG = """\
BENCHMARK: humaneval, humaneval+ (164 tasks), mbpp (test split, 500), mbpp+ (378).
Samples: one JSON object a line, task_id with solution (a whole program) or completion (appended
to the task's prompt). Several lines for a task are several samples (pass@k). A line that can not
be used is named on stderr, and the others are judged.
A model gets each task as one message, without any instruction; its first code block is judged.
The folder gets verdicts.jsonl and summary.json (from a model: samples.jsonl, too); the same
command goes on where it was stopped. Compare two of them: assistant eval-compare DIR DIR

exit codes: 0 every sample was judged, 3 some could not be, 1 error, 2 wrong usage,
130 interrupted (what is judged is kept).

examples:
  assistant eval humaneval+ --samples answers.jsonl --data ../shared/data
  assistant eval mbpp --limit 20
  assistant eval humaneval --model ./coder.gguf --samples-per-task 10 --temperature 0.8
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "eval",
        help="judge a model, or given samples, on a benchmark",
        description="Judge a model, or given samples, on a benchmark; every program in a sandbox.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("benchmark", metavar="BENCHMARK", help="which; see below")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--model", metavar="M", help="ask this model (default: the one in use)")
    source.add_argument("--samples", type=Path, metavar="FILE", help="judge these samples instead")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="the data file, its folder, or a folder of such folders (default: ASSISTANT_DATA, "
        "otherwise it is downloaded)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N tasks only")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="programs judged at a time (default: the cores)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the folder of the results (default: one for each run under runs/eval)",
    )
    parser.add_argument(
        "--samples-per-task", type=int, metavar="N", help="answers to ask a model for (default: 1)"
    )
    parser.add_argument(
        "--temperature", type=float, metavar="T", help="of a model's answers (default: 0, greedy)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Evaluate; the exit code."""
    from assistant.benchmarks import catalogue, data, evaluation, lock, problems, records, summary
    from assistant.benchmarks.pool import start_ahead
    from assistant.cli.progress import Progress

    _check_usage(args)
    benchmark = catalogue.find(args.benchmark)
    if args.samples is not None:
        cores = evaluation.default_workers()
        start_ahead(min(args.workers or cores, cores))
    file = data.load(benchmark.dataset, args.data, say=terminal.say)
    if not file.published:
        terminal.say(f"Note: {file.origin} is not the published {benchmark.dataset.name}.")
    tasks = problems.read(benchmark, file)
    source = _given(args, tasks) if args.samples is not None else _asked(args, tasks)
    identity = evaluation.identity_of(benchmark, file, source.identity)
    folder = args.out or _folder(benchmark, source.name, source.digest(identity))
    with lock.held(folder):
        records.claim(folder, identity)
        with _told_what_is_kept(folder):
            found = source.samples(folder)
            for one in found.rejected:
                terminal.say(f"{found.path}:{one.line}: {terminal.visible(one.reason)}")
            workers = args.workers or evaluation.default_workers()
            asked = evaluation.Evaluation(
                benchmark, file, tasks, args.limit, found, folder, identity, workers
            )
            result = evaluation.evaluate(asked, Progress())
    for lost in result["not_judged"][:_SHOWN]:
        reason = terminal.visible(lost["reason"])
        terminal.say(f"Not judged: {lost['task']} sample {lost['sample']}: {reason}")
    if (more := len(result["not_judged"]) - _SHOWN) > 0:
        terminal.say(f"Not judged: {more} more; {folder / records.SUMMARY} names them.")
    print(json.dumps(result, indent=2) if args.json else summary.table(result))
    terminal.say(f"Verdicts and figures: {folder}")
    return evaluation.exit_code(result)


@contextlib.contextmanager
def _told_what_is_kept(folder: Path) -> Iterator[None]:
    """Whatever ends a run, nothing that was done is lost; say where it is."""
    from assistant.benchmarks import records

    try:
        yield
    except (KeyboardInterrupt, AssistantError):
        done = [folder / name for name in (records.SAMPLES, records.VERDICTS)]
        if any(path.exists() and path.stat().st_size for path in done):
            terminal.say(f"What is done is kept in {folder}; the same command goes on from there.")
        raise


def _check_usage(args: argparse.Namespace) -> None:
    for name in ("limit", "workers", "samples_per_task"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise UsageProblem(f"--{name.replace('_', '-')} must be 1 or more, not {value}.")
    if args.samples is not None and (args.samples_per_task or args.temperature is not None):
        raise UsageProblem(
            "--samples-per-task and --temperature are for a model, not for given samples."
        )
    temperature = args.temperature or 0.0
    if not 0 <= temperature <= 10:
        raise UsageProblem(f"--temperature must be from 0 to 10, not {temperature:g}.")
    if (args.samples_per_task or 1) > 1 and not temperature:
        raise UsageProblem(
            "Several greedy answers to a task are the same answer.",
            hint="Say how much they may vary: --temperature 0.8",
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """Where samples come from."""

    name: str
    """For the folder of the results."""
    identity: dict[str, Any]
    """For `run.json`."""
    digest: Callable[[dict[str, Any]], str]
    """What keeps default folders of different runs apart, from the whole identity."""
    samples: Callable[[Path], SamplesFile]
    """Takes the folder of the results."""


def _given(args: argparse.Namespace, tasks: list[Problem]) -> _Source:
    from assistant.benchmarks import samples

    found = samples.read(args.samples, {one.id: one for one in tasks})
    identity = {"samples_sha256": found.sha256, "prompt": "given", "extraction": "none"}
    return _Source(args.samples.stem, identity, lambda whole: found.sha256, lambda folder: found)


def _asked(args: argparse.Namespace, tasks: list[Problem]) -> _Source:
    from assistant.benchmarks import generation, records, samples
    from assistant.cli.progress import Progress

    asking = generation.prepare(args.model, args.samples_per_task or 1, args.temperature or 0.0)

    def answers(folder: Path) -> SamplesFile:
        path = folder / records.SAMPLES
        generation.generate(asking, tasks[: args.limit], path, Progress())
        for remark in generation.remarks(path):
            terminal.say(terminal.visible(remark))
        return samples.read(path, {one.id: one for one in tasks})

    return _Source(asking.name, asking.identity, generation.digest, answers)


def _folder(benchmark: Benchmark, name: str, digest: str) -> Path:
    """Where results go by default: samples that differ have folders that differ."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "samples"
    return Path("runs") / "eval" / f"{benchmark.name}-{plain}-{digest[:8]}"
