"""llama.cpp's quantiser, in a process of its own: what it makes, refuses and leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from assistant.engine import quantiser
from assistant.errors import ExportProblem
from assistant.models import loadable
from tests.support.tiny_gguf import Tiny, write

_CHANNEL_SCALES = np.float32(4.0) ** np.arange(-3, 4, dtype=np.float32)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Rows of 64: K-quants do not divide them."""
    return write(tmp_path_factory.mktemp("m") / "tiny.gguf")


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    """Rows of 256, as K-quants need them, one layer."""
    return write(tmp_path_factory.mktemp("w") / "wide.gguf", Tiny(width=256, layers=1))


def _tensors(path: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def _floats(tensor: gguf.ReaderTensor) -> np.ndarray:
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type)


def _importance(path: Path) -> dict[str, np.ndarray]:
    """Some inputs matter a thousand times as much as others."""
    chance = np.random.default_rng(1)
    tensors = loadable.read(path).tensors
    return {
        tensor.name: chance.choice(_CHANNEL_SCALES, tensor.shape[0]).astype(np.float32)
        for tensor in tensors
        if tensor.name.startswith("blk.") and len(tensor.shape) == 2
    }


def test_q8_0_is_what_the_export_writes_itself(source, tmp_path):
    calls: list[tuple[int, int]] = []
    made = quantiser.quantise(
        source, tmp_path / "q.gguf", "Q8_0", threads=1, on_progress=lambda *at: calls.append(at)
    )

    before, after = _tensors(source), _tensors(tmp_path / "q.gguf")
    assert set(after) == set(before)
    assert made.types == {name: tensor.tensor_type.name for name, tensor in after.items()}
    for name, tensor in after.items():
        kind = tensor.tensor_type
        assert (tensor.data == gguf.quants.quantize(before[name].data, kind)).all(), name
    assert {kind for name, kind in made.types.items() if "norm" not in name} == {"Q8_0"}
    assert calls == [(done, len(before)) for done in range(len(before) + 1)]
    assert made.bytes == (tmp_path / "q.gguf").stat().st_size
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("type_name", ["Q4_K_M", "Q6_K", "IQ4_XS", "Q4_0"])
def test_size_and_types_are_known_before(wide, tmp_path, type_name):
    """From the header alone: the weights may be a hole."""
    hole = tmp_path / "hole.gguf"
    hole.write_bytes(wide.read_bytes()[: loadable.read(wide).tensors[0].start])
    os.truncate(hole, wide.stat().st_size)

    plan = quantiser.planned(hole, type_name)
    made = quantiser.quantise(wide, tmp_path / "q.gguf", type_name, threads=1)

    assert plan.bytes == made.bytes == quantiser.predicted_bytes(wide, type_name)
    assert plan.types == made.types
    found = _tensors(tmp_path / "q.gguf")
    assert made.types == {name: tensor.tensor_type.name for name, tensor in found.items()}


def test_with_an_importance_matrix_what_matters_is_lost_less(wide, tmp_path):
    importance = _importance(wide)
    original = _tensors(wide)
    errors = {}
    for name, matrix in (("without", None), ("with", importance)):
        target = tmp_path / f"{name}.gguf"
        quantiser.quantise(wide, target, "Q4_K_M", threads=1, imatrix=matrix)
        found = _tensors(target)
        errors[name] = {
            tensor: float(((_floats(found[tensor]) - original[tensor].data) ** 2 @ weight).sum())
            for tensor, weight in importance.items()
        }

    for tensor in importance:
        assert errors["with"][tensor] < 0.95 * errors["without"][tensor], tensor


def test_the_smallest_types_need_an_importance_matrix(wide, tmp_path):
    with pytest.raises(ExportProblem, match="IQ2_XS can not be made without an importance"):
        quantiser.quantise(wide, tmp_path / "q.gguf", "IQ2_XS", threads=1)
    partly = dict(list(_importance(wide).items())[1:])
    with pytest.raises(ExportProblem, match=r"nothing of 'blk\.0"):
        quantiser.quantise(wide, tmp_path / "q.gguf", "IQ2_XS", threads=1, imatrix=partly)
    assert not list(tmp_path.iterdir())

    made = quantiser.quantise(
        wide, tmp_path / "q.gguf", "IQ2_XS", threads=1, imatrix=_importance(wide)
    )
    assert "IQ2_XS" in made.types.values()
    assert made.bytes == quantiser.predicted_bytes(wide, "IQ2_XS", importance=True)


@pytest.mark.parametrize("type_name", quantiser.TYPES)
def test_each_type_is_one_that_llama_cpp_makes(wide, type_name):
    """Most of its matrices are in the format that the name says."""
    named = {"IQ2_S": "IQ2_XS", "IQ2_M": "IQ2_S", "IQ3_M": "IQ3_S", "IQ3_XS": "IQ3_S"}
    plain = re.sub(r"(?<=K)_[SML]$", "", type_name)

    assert quantiser.planned(wide, type_name).types["blk.0.ffn_gate.weight"] == (
        named.get(type_name, plain)
    )


def test_rows_that_do_not_divide_are_counted(source, tmp_path):
    made = quantiser.quantise(source, tmp_path / "q.gguf", "Q4_K_M", threads=1)

    assert made.fallbacks == quantiser.planned(source, "Q4_K_M").fallbacks > 0
    assert "Q4_K" not in made.types.values()
    assert "Q5_0" in made.types.values()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda one: np.append(one, one[:1]), r"values of \(65,\) for 64 inputs"),
        (lambda one: one * np.float32("nan"), "no numbers"),
        (lambda one: -one, "below 0"),
        (lambda one: one * 0, "all 0"),
    ],
)
def test_an_importance_matrix_that_does_not_fit_is_refused(source, tmp_path, change, why):
    importance = _importance(source)
    importance["blk.1.attn_q.weight"] = change(importance["blk.1.attn_q.weight"])
    with pytest.raises(ExportProblem, match=why):
        quantiser.quantise(source, tmp_path / "q.gguf", "Q4_0", threads=1, imatrix=importance)
    assert not list(tmp_path.iterdir())


def test_an_importance_matrix_of_another_model_is_refused(source, tmp_path):
    foreign = {"blk.7.attn_q.weight": np.ones(64, np.float32)}
    with pytest.raises(ExportProblem, match="which the model has not"):
        quantiser.quantise(source, tmp_path / "q.gguf", "Q4_0", threads=1, imatrix=foreign)


def test_an_unknown_type_names_those_that_there_are(source, tmp_path):
    with pytest.raises(ExportProblem, match=r"'Q4_X'; there are: Q8_0.*Q4_K_M"):
        quantiser.quantise(source, tmp_path / "q.gguf", "Q4_X", threads=1)


def test_what_is_quantised_is_not_quantised_again(source, tmp_path):
    quantiser.quantise(source, tmp_path / "q.gguf", "Q8_0", threads=1)
    with pytest.raises(ExportProblem, match=r"quantised already \(Q8_0\)"):
        quantiser.quantise(tmp_path / "q.gguf", tmp_path / "r.gguf", "Q4_0", threads=1)


def test_weights_that_are_no_numbers_are_refused_in_its_words(source, tmp_path):
    """What stays as it is, is not looked at; what is made smaller must be numbers."""
    data = bytearray(source.read_bytes())
    tensor = next(t for t in loadable.read(source).tensors if t.name == "blk.1.ffn_up.weight")
    data[tensor.start : tensor.start + 4] = np.float32("nan").tobytes()
    (tmp_path / "nan.gguf").write_bytes(data)
    (tmp_path / "q.gguf").write_text("what was there before")

    with pytest.raises(ExportProblem, match=r"quantiser failed.*blk\.1\.ffn_up\.weight"):
        quantiser.quantise(tmp_path / "nan.gguf", tmp_path / "q.gguf", "Q8_0", threads=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nan.gguf", "q.gguf"]
    assert (tmp_path / "q.gguf").read_text() == "what was there before"


def test_an_end_in_the_middle_leaves_nothing(source, tmp_path):
    def enough(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantiser.quantise(source, tmp_path / "q.gguf", "Q8_0", threads=1, on_progress=enough)
    assert not list(tmp_path.iterdir())


def test_a_quantiser_that_dies_is_an_error_with_its_reason(source, tmp_path, monkeypatch):
    started = []

    class Dying(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)
            if len(started) == 2:  # The first one plans.
                self.send_signal(signal.SIGKILL)

    monkeypatch.setattr(quantiser.subprocess, "Popen", Dying)
    with pytest.raises(ExportProblem, match="did not finish: it was ended by signal 9"):
        quantiser.quantise(source, tmp_path / "q.gguf", "Q8_0", threads=1)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said(source, tmp_path):
    """A limit on the size of files stands for it."""
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from assistant.engine import quantiser\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "quantiser.quantise(Path(sys.argv[1]), Path(sys.argv[2]), 'Q8_0', threads=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(tmp_path / "q.gguf")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert "Probably the disk is full" in done.stderr
    assert not list(tmp_path.iterdir())


def test_no_room_is_said_before(source, tmp_path, monkeypatch):
    free = quantiser.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(quantiser.shutil, "disk_usage", lambda _: free)
    with pytest.raises(ExportProblem, match=r"has room for 0\.00 GB"):
        quantiser.quantise(source, tmp_path / "q.gguf", "Q8_0", threads=1)
    assert not list(tmp_path.iterdir())


def test_it_ends_with_the_program_that_started_it(source, tmp_path):
    """Nobody holds the other end of its input any more."""
    job = quantiser._job(source, tmp_path / "q.gguf", quantiser.TYPES["Q8_0"], threads=1)
    with quantiser._running(job | {"dry": True}, {}) as lines:
        assert next(lines)["number"] == 1
    # `_running` has ended it. One that is only left alone does so itself:
    code = "from assistant.engine import quantising; quantising._end_with_the_caller()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    process.stdin.close()
    assert process.wait(30) == 1
