"""An export that is killed, or has no room, loses little, and never leaves half a file.

Soak: `make test-soak` kills each kind of export at 20 random moments between two calls and at 20
within one; here one is killed three times, and a quantiser once.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the export needs the [train] extra")
pytest.importorskip("llama_cpp", reason="its quantiser is the engine's, of the [local] extra")

from tests.support import llama3_student as made
from tests.support.export_runs import Run, export, killed_at_size
from training.export import record

SHAPE = made.Shape(
    width=256, layers=4, heads=8, kv_heads=4, feed=768, shards=3, licence="apache-2.0"
)
TYPES = {
    "direct": ("--type", "F32"),
    "split": ("--type", "F32", "--split-size", "4M"),
    "quantised": ("--type", "Q4_K_M"),
}
SEEDS = range(20)
LAST_EVENTS = 200
NAME = "model.gguf"


@dataclass(frozen=True)
class Whole:
    """An export that nobody disturbed.

    Attributes:
        options: of the command, all but `--out`.
        digests: sha256 of each file that ever has a final name.
        left: those of them that stay.
        size: bytes of the largest.
        run: of the command.
    """

    options: tuple[str | Path, ...]
    digests: dict[str, str]
    left: frozenset[str]
    size: int
    run: Run


Wholes = Callable[[str], Whole]


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    """Undisturbed exports of a small model of three files, made when they are asked for."""
    base = made.write(tmp_path_factory.mktemp("base"), made.tiny_llama_tokenizer(), SHAPE)
    found: dict[str, Whole] = {}

    def whole(kind: str) -> Whole:
        if kind not in found:
            options = ("--base", base, *TYPES[kind], "--threads", "1")
            target = tmp_path_factory.mktemp(kind) / NAME
            run = export(*options, "--out", target)
            assert run.code == 0, run.said
            files = {one.name: one for one in target.parent.glob("*.gguf")}
            digests = {name: digest(path) for name, path in files.items()}
            left = frozenset(files)
            size = max(one.stat().st_size for one in files.values())
            found[kind] = Whole(options, digests, left, size, run)
        return found[kind]

    return whole


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_names(target: Path, whole: Whole) -> None:
    """Under a final name there is the whole file or none."""
    for path in target.parent.glob("*.gguf"):
        assert digest(path) == whole.digests[path.name], path.name


def finished(target: Path, whole: Whole) -> Run:
    """The same command again ends well, with the same files and nothing large beside them."""
    run = export(*whole.options, "--out", target)
    assert run.code == 0, run.said
    check_names(target, whole)
    assert {path.name for path in target.parent.glob("*.gguf")} == whole.left
    rest = [path for path in target.parent.iterdir() if path.name not in whole.left]
    assert sum(path.stat().st_size for path in rest) < 10_000, rest
    return run


def noted(target: Path) -> int:
    """How many tensors an export has noted as written."""
    path = record.path_of(target)
    if not path.exists():
        return 0
    return sum(json.loads(path.read_text(encoding="utf-8"))["tensors"].values())


def unnoted(whole: Whole, tensors: int) -> tuple[str, ...]:
    """What is read for the tensors behind so many; the first is `rope_freqs`, which is computed."""
    return whole.run.read[tensors - 1 :]


def test_killed_three_times_it_goes_on_each_time(wholes: Wholes, tmp_path: Path) -> None:
    """Each run gets further than the one before, and none does again what was noted."""
    whole, target = wholes("direct"), tmp_path / NAME
    known = []
    for share in (0.4, 0.3, 0.2):  # of the events of a whole run
        moment = int(share * whole.run.events)
        run = export(*whole.options, "--out", target, die_at=moment)
        assert run.killed, run.said
        assert not target.exists()
        known.append(noted(target))
    assert 0 < known[0] < known[1] < known[2]
    assert finished(target, whole).read == unnoted(whole, known[2]) != ()


def test_a_killed_quantiser_leaves_nothing_under_the_final_name(
    wholes: Wholes, tmp_path: Path
) -> None:
    """What the quantiser reads is not written again."""
    whole, target = wholes("quantised"), tmp_path / NAME
    run = export(*whole.options, "--out", target, die_at=-1)
    assert run.killed, run.said
    assert not target.exists()
    check_names(target, whole)
    assert finished(target, whole).read == ()


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", TYPES)
def test_killed_between_two_calls(wholes: Wholes, tmp_path: Path, kind: str, seed: int) -> None:
    """Every second time among the last calls, where files get their names and are removed."""
    whole, target = wholes(kind), tmp_path / NAME
    first = whole.run.events - LAST_EVENTS if seed % 2 else 1
    moment = random.Random(f"{kind} {seed}").randint(first, whole.run.events)
    run = export(*whole.options, "--out", target, die_at=moment)
    assert run.killed, (moment, whole.run.events, run.said)
    check_names(target, whole)
    finished(target, whole)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_within_a_call(wholes: Wholes, tmp_path: Path, seed: int) -> None:
    whole, target = wholes("direct"), tmp_path / NAME
    size = random.Random(f"size {seed}").randint(1, whole.size)
    run = killed_at_size(target, size, *whole.options, "--out", target)
    assert run.killed or run.code == 0, run.said  # the last bytes are the quickest
    check_names(target, whole)
    finished(target, whole)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["direct", "split"])
def test_killed_over_and_over(wholes: Wholes, tmp_path: Path, kind: str) -> None:
    """It comes to its end however often it dies, as long as each run gets as far as a note.

    The quantiser is one call and writes no notes: it begins anew each time.
    """
    whole, target, chance = wholes(kind), tmp_path / NAME, random.Random(kind)
    deaths = 0
    while True:
        moment = chance.randint(whole.run.events // 6, whole.run.events // 2)
        run = export(*whole.options, "--out", target, die_at=moment)
        check_names(target, whole)
        if not run.killed:
            break
        deaths += 1
        assert deaths < 50
    assert run.code == 0, run.said
    assert deaths > 0
    finished(target, whole)


def test_a_full_disk_is_said_and_what_is_written_is_kept(wholes: Wholes, tmp_path: Path) -> None:
    whole, target = wholes("direct"), tmp_path / NAME
    limit = whole.size * 6 // 10

    def no_more() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = export(*whole.options, "--out", target, prepare=no_more)
    assert run.code == 1, run.said
    assert "no room" in run.said and "goes on" in run.said
    assert "Traceback" not in run.said
    assert not target.exists()
    known = noted(target)
    assert known > 0
    assert finished(target, whole).read == unnoted(whole, known)
