"""The parts of `make bench-export` that a wrong number would come from; no time is asserted."""

from __future__ import annotations

import itertools
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the models are made with the [train] extra")

from safetensors import safe_open  # noqa: E402

from tests.bench.export import cold, kept, measuring, model, report, space  # noqa: E402
from tests.bench.export.kept import Kept  # noqa: E402
from tests.bench.export.measuring import Failed, Process, Usage, measured  # noqa: E402
from tests.bench.export.sides import (  # noqa: E402
    CONVERT,
    EXPORT,
    EXPORT_QUANTISED,
    MERGE,
    OURS,
    QUANTISE,
    USUAL,
    Side,
    Step,
)
from tests.bench.training.work import SHAPES  # noqa: E402

TINY = SHAPES["tiny"]
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small base of three files, and its adapter beside it."""
    folder = tmp_path_factory.mktemp("bench-export")
    silent = np.zeros(TINY.vocabulary, bool)
    silent[7] = True
    model.write_base(folder / "base", TINY, {}, "{{ messages }}", silent, shard_bytes=100_000)
    model.write_adapter(folder / "adapter", TINY, folder / "base")
    return folder / "base"


def weights(base: Path) -> dict[str, torch.Tensor]:
    found = {}
    for file in base.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            found |= {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    return found


def test_the_whole_shape_is_that_of_llama_3_1_8b() -> None:
    full = SHAPES["full"]
    assert sum(one.size for one in model.tensors(full)) == full.frozen == 8_030_261_248
    sizes = [sum(2 * one.size for one in part) for part in shards(full)]
    assert len(sizes) == 4
    assert max(sizes) <= model.SHARD_BYTES


def shards(shape):
    return model._shards(model.tensors(shape), model.SHARD_BYTES)


def test_transformers_and_peft_take_what_is_written(base: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    net, said = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.bfloat16, output_loading_info=True
    )
    assert not any(said[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    before = net.model.layers[1].mlp.down_proj.weight.detach().double().numpy().copy()
    merged = PeftModel.from_pretrained(net.float(), base.parent / "adapter").merge_and_unload()
    after = merged.model.layers[1].mlp.down_proj.weight.detach().double().numpy()
    rows = TINY.width // TINY.heads
    last = next(
        one for one in kept._sampled(base, base.parent / "adapter") if one[:2] == (1, "down_proj")
    )
    assert np.array_equal(before[:rows], last[2])
    assert np.abs(after[:rows] - before[:rows] - last[3]).max() < 1e-7 < np.abs(last[3]).max()


def test_the_weights_are_spread_as_asked_and_silent_rows_are_zero(base: Path) -> None:
    found = weights(base)
    assert {one.dtype for one in found.values()} == {torch.bfloat16}
    gate = found["model.layers.0.mlp.gate_proj.weight"].float()
    assert float(gate.std()) == pytest.approx(TINY.width**-0.5, rel=0.03)
    assert abs(float(gate.mean())) < 0.01
    head = found["lm_head.weight"].float()
    assert not head[7].any() and head[8].any()
    assert float(found["model.norm.weight"].float().sum()) == TINY.width


def test_a_tensor_does_not_depend_on_the_others(base: Path, tmp_path: Path) -> None:
    model.write_base(tmp_path, replace(TINY, layers=1), {}, "")
    name = "model.layers.0.self_attn.k_proj.weight"
    assert torch.equal(weights(tmp_path)[name], weights(base)[name])


def write_f16(path: Path, base: Path, *, scale: float = 1.0, permute: bool = True) -> Path:
    """What an export would write of the sampled rows."""
    writer = gguf.GGUFWriter(path, "llama")
    for layer, part, before, change in kept._sampled(base, base.parent / "adapter"):
        values = before + scale * change
        if part in kept._REORDERED and not permute:
            rows, columns = values.shape
            values = values.reshape(rows // 2, 2, columns).swapaxes(0, 1).reshape(rows, columns)
        name = f"blk.{layer}.{kept._NAMES[part]}.weight"
        writer.add_tensor(name, np.ascontiguousarray(values, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_what_a_file_has_lost_of_the_adapter_is_found(base: Path, tmp_path: Path) -> None:
    adapter = base.parent / "adapter"
    right = kept.read(write_f16(tmp_path / "a.gguf", base), base, adapter)
    assert 0 < right.most_lost < 0.3
    assert len(right.lost) == 2 * 7
    none = kept.read(write_f16(tmp_path / "b.gguf", base, scale=0.0), base, adapter)
    assert none.most_lost == pytest.approx(1.0, abs=0.1)
    # An rsLoRA adapter that was taken for LoRA is too weak by the root of its rank.
    weak = kept.read(write_f16(tmp_path / "c.gguf", base, scale=4**-0.5), base, adapter)
    assert min(weak.lost.values()) > 0.45
    other = kept.read(write_f16(tmp_path / "d.gguf", base, permute=False), base, adapter)
    assert other.lost["blk.0.attn_q.weight"] > 1 > other.lost["blk.0.attn_v.weight"]
    assert kept.differing(right, other) == []


def test_one_heads_rows_are_taken_from_both_halves_in_turn() -> None:
    assert kept._reordered(np.arange(8)[:, None])[:, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_other_tensors_are_named() -> None:
    one = Kept({"a": ((4, 2), "F16"), "b": ((4,), "F32")}, {})
    other = Kept({"a": ((4, 2), "F32"), "c": ((4,), "F32")}, {})
    assert kept.differing(one, other) == ["a", "b", "c"]


_HOLDS = """
import mmap, subprocess, sys
kind, megabytes, file = sys.argv[1:]
size = int(megabytes) * 1_000_000
if kind == "anonymous":
    held = b"x" * size
elif kind == "mapped":
    with open(file, "rb") as opened:
        held = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    sum(held[at] for at in range(0, len(held), 4096))
else:
    held = b"x" * size
    subprocess.run([sys.executable, "-c", sys.argv_of_child, "anonymous", megabytes, file])
import time
while time.process_time() < 0.6:  # long enough to be seen
    pass
"""


def usage_of(kind: str, tmp_path: Path, megabytes: int = 80) -> Usage:
    file = tmp_path / "data"
    if not file.exists():
        file.write_bytes(bytes(megabytes * MEGABYTE))
    program = _HOLDS.replace("sys.argv_of_child", repr(_HOLDS))
    command = [sys.executable, "-S", "-c", program, kind, str(megabytes), file]
    return measured(command, tmp_path / "log", tmp_path, {})


def test_anonymous_memory_is_counted_and_mapped_files_are_not(tmp_path: Path) -> None:
    plain = usage_of("anonymous", tmp_path)
    assert 80 * MEGABYTE <= plain.anonymous < 110 * MEGABYTE
    mapped = usage_of("mapped", tmp_path)
    assert mapped.anonymous < 30 * MEGABYTE
    assert mapped.resident > 80 * MEGABYTE


def test_what_a_command_starts_is_counted_with_it(tmp_path: Path) -> None:
    both = usage_of("parent", tmp_path)
    assert both.anonymous >= 160 * MEGABYTE
    assert len(both.processes) == 2
    assert all(one.anonymous >= 80 * MEGABYTE for one in both.processes)
    assert "anonymous" in both.processes[1].command


def test_what_is_written_is_counted(tmp_path: Path) -> None:
    if in_memory(tmp_path):
        pytest.skip("the temporary folder is no disk: nothing is counted there")
    program = "import os; f = open('new', 'wb'); f.write(bytes(30_000_000)); os.fsync(f.fileno())"
    used = measured([sys.executable, "-S", "-c", program], tmp_path / "log", tmp_path, {})
    assert 30 * MEGABYTE <= used.written < 40 * MEGABYTE


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no such thing") as raised:
        measured(
            [sys.executable, "-S", "-c", "raise SystemExit('no such thing')"],
            tmp_path / "log", tmp_path, {},
        )  # fmt: skip
    assert "ended with 1" in str(raised.value)


def test_the_tree_is_found_whatever_a_process_is_called(tmp_path: Path, monkeypatch) -> None:
    for pid, parent, name in ((10, 1, "a"), (11, 10, "b ) S 1 ("), (12, 11, "c"), (13, 1, "d")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 0 0\n")
    monkeypatch.setattr(measuring, "_PROC", tmp_path)
    assert sorted(measuring._descendants(10)) == [10, 11, 12]


def in_memory(path: Path) -> bool:
    """Whether a file's system is one that has no disk."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    kinds = {line.split()[2]: line.partition(" - ")[2].split()[0] for line in lines}
    return kinds.get(wanted) in ("tmpfs", "ramfs")


def test_files_leave_the_page_cache(tmp_path: Path) -> None:
    if in_memory(tmp_path):
        pytest.skip("the temporary folder is no disk: its files are in memory only")
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(3 * MEGABYTE))
    assert cold.cached(path) >= 3 * MEGABYTE
    assert cold.dropped([tmp_path / "folder"]) == 0
    assert cold.cached(path) == 0
    path.read_bytes()
    assert cold.cached(path) >= 3 * MEGABYTE


def test_the_disk_is_asked_first(tmp_path: Path) -> None:
    sizes = space.sizes(SHAPES["full"])
    assert sizes.base == 2 * 8_030_261_248
    assert sizes.adapter == 4 * 83_886_080
    widest = sizes.widest((USUAL, OURS))
    assert widest == sizes.adapter + 3 * sizes.base  # base, merged and F16: 49 GB
    assert sizes.widest((OURS,)) < widest
    assert "GB at the widest" in space.check(tmp_path, 1000, 0)
    with pytest.raises(space.NoRoom, match="--folder"):
        space.check(tmp_path, 10**18, 0)


def step(name: str, seconds: float, anonymous: int, *processes: Process) -> Step:
    usage = Usage(seconds, 2 * seconds, anonymous, 2 * anonymous, 10, 20, processes)
    return Step(name, usage, 0.5, 1000)


def both(our_seconds: float = 60.0, our_memory: int = 1_400_000_000) -> list[Side]:
    found = Kept({"a": ((4, 2), "F16")}, {"a": 0.01, "b": 0.002})
    quantiser = Process("python -c quantising.main()", 20.0, 95.0)
    usual = (step(MERGE, 70, 16_000_000_000), step(CONVERT, 30, 3_000_000_000),
             step(QUANTISE, 80, 20_000_000_000))  # fmt: skip
    ours = (
        step(EXPORT, our_seconds, our_memory),
        step(EXPORT_QUANTISED, 140, 2_000_000_000, Process("assistant", 0.0, 140.0), quantiser),
    )
    return [Side(USUAL, usual, found, 0), Side(OURS, ours, found, 0)]


def test_the_aims_are_of_merge_and_export_and_not_of_the_quantiser() -> None:
    assert [(aim.found, aim.met) for aim in report.aims(both())] == [
        ("1.40 GB", True), ("0.087", True), ("0.600", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "memory", "met"),
    [
        (61.0, 1_400_000_000, [True, True, False]),
        (10.0, 1_500_000_001, [False, True, True]),
        (10.0, 1_700_000_000, [False, False, True]),
    ],
)
def test_an_aim_that_is_missed_is_said(seconds, memory, met) -> None:
    sides = both(seconds, memory)
    assert [aim.met for aim in report.aims(sides)] == met
    assert report.markdown({"model": "m"}, sides).count("NOT MET") == met.count(False)


def test_a_side_alone_has_no_ratio() -> None:
    usual, ours = both()
    assert report.aims([usual]) == []
    assert [aim.met for aim in report.aims([ours])] == [True, None, None]
    assert "not known" in report.markdown({"model": "m"}, [ours])


def test_the_quantisers_time_is_told_apart() -> None:
    usual, ours = both()
    assert usual.quantiser_seconds() == 80
    assert ours.quantiser_seconds() == 75
    last = replace(ours.steps[1], usage=replace(ours.steps[1].usage, processes=()))
    without = replace(ours, steps=(ours.steps[0], last))
    assert without.quantiser_seconds() == 80  # 140 of the command, less 60 of the one to F16


def test_both_reports_are_written(tmp_path: Path) -> None:
    text = report.write(tmp_path / "out", {"model": "m", "machine": "x"}, both())
    told = text.read_text()
    rows = [line for line in told.splitlines() if line.startswith(("| usual", "| ours"))]
    assert len(rows) == 5
    assert len({line.count("|") for line in rows}) == 1
    assert "the same in both" in told
    whole = json.loads((tmp_path / "out" / "bench-export.json").read_text())
    names = itertools.chain(*([one["name"] for one in side["steps"]] for side in whole["sides"]))
    assert list(names) == [MERGE, CONVERT, QUANTISE, EXPORT, EXPORT_QUANTISED]
