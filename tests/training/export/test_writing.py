"""Files written by blocks are the same whatever the blocks, the threads, or what went before."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from hypothesis import given
from hypothesis import strategies as st

from assistant import filelock
from assistant.engine import quantiser
from assistant.errors import ExportProblem
from assistant.models import loadable
from tests.support import llama3_student as made
from training.chat import LLAMA3
from training.export import (
    alone,
    content,
    encoding,
    layout,
    making,
    merging,
    record,
    space,
    types,
    writing,
)
from training.export.metadata import Labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    shape = made.Shape(layers=3, width=128, feed=256)
    return made.write(tmp_path_factory.mktemp("w") / "base", made.tiny_llama_tokenizer(), shape)


@pytest.fixture(scope="module")
def found(folder):
    labels = Labels("t", chat=LLAMA3)
    return content.of(merging.opened(folder), folder / "tokenizer.json", labels)


def _write(found, target, type_name="Q8_0", key="k", **options):
    layouts = layout.plan(found, target, types.find(type_name), options.pop("split", 0))
    writing.write(found, layouts, target, key, **options)
    return layouts


@pytest.mark.parametrize("type_name", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_1"])
def test_every_tensor_is_what_the_package_makes_of_it(found, tmp_path, type_name, monkeypatch):
    monkeypatch.setattr(writing, "_BLOCK_VALUES", 1000)  # several blocks of every matrix
    _write(found, tmp_path / "t.gguf", type_name, threads=2)
    tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "t.gguf").tensors}
    assert set(tensors) == {t.name for t in found.tensors} | set(found.constants)
    for tensor in found.tensors:
        values = found.merged.tensor(tensor.source)
        if tensor.heads:
            values = encoding.reordered(values, tensor.heads)
        kind = types.stored(tensor.shape, types.find(type_name).kind)
        assert tensors[tensor.name].tensor_type == kind
        expected = gguf.quants.quantize(values.numpy(), kind)
        assert tensors[tensor.name].data.tobytes() == expected.tobytes(), tensor.name
    assert loadable.read(tmp_path / "t.gguf")


def test_neither_blocks_nor_threads_change_a_byte(found, tmp_path, monkeypatch):
    _write(found, tmp_path / "whole.gguf")
    for number, size in enumerate((1, 5000, 40_000)):
        monkeypatch.setattr(writing, "_BLOCK_VALUES", size)
        _write(found, tmp_path / f"{number}.gguf", threads=number + 1)
        assert (tmp_path / f"{number}.gguf").read_bytes() == (tmp_path / "whole.gguf").read_bytes()


class _Stopped(Exception):
    pass


def _stopping(told):
    """Told of bytes, ends the writing behind the first 300,000."""

    def on_bytes(count):
        told.append(count)
        if sum(told) > 300_000:
            raise _Stopped

    return on_bytes


@pytest.mark.parametrize("split", [0, 150_000])
def test_an_export_that_was_stopped_goes_on_to_the_same_bytes(found, tmp_path, monkeypatch, split):
    monkeypatch.setattr(writing, "NOTE_BYTES", 1)
    right = _write(found, tmp_path / "right.gguf", split=split)
    target = tmp_path / "t.gguf"
    attempts, told = 0, []

    def stop_after(allowed):
        def on_bytes(count):
            told.append(count)
            if len(told) > allowed:
                raise _Stopped

        return on_bytes

    while not writing.is_done(target, "k"):
        attempts += 1
        told.clear()
        assert not any(
            one.path.exists() for one in layout.plan(found, target, types.find("Q8_0"), split)
        )
        try:
            layouts = _write(found, target, split=split, on_bytes=stop_after(4 + attempts))
        except _Stopped:
            continue
    assert attempts > 3
    for mine, other in zip(layouts, right, strict=True):
        assert mine.path.read_bytes() == other.path.read_bytes()
    assert not list(tmp_path.glob("*.partial"))


def test_what_is_there_already_is_told_at_once_and_not_written_again(found, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "NOTE_BYTES", 1)
    target, told = tmp_path / "t.gguf", []

    with pytest.raises(_Stopped):
        _write(found, target, on_bytes=_stopping(told))
    again: list[int] = []
    layouts = _write(found, target, on_bytes=again.append)
    assert again[0] > 200_000 and sum(again) <= layouts[0].size
    # Another export under the same name does not go on with it.
    with pytest.raises(_Stopped):
        told.clear()
        _write(found, tmp_path / "u.gguf", on_bytes=_stopping(told))
    fresh: list[int] = []
    _write(found, tmp_path / "u.gguf", key="other", on_bytes=fresh.append)
    assert fresh[0] == len(layouts[0].header)


def test_a_file_that_lost_its_end_is_begun_anew(found, tmp_path, monkeypatch):
    """The power went after the note, and the disk had said that all was written."""
    monkeypatch.setattr(writing, "NOTE_BYTES", 1)
    target, told = tmp_path / "t.gguf", []

    with pytest.raises(_Stopped):
        _write(found, target, on_bytes=_stopping(told))
    os.truncate(writing.partial(target), 100_000)
    _write(found, target)
    _write(found, tmp_path / "right.gguf")
    assert target.read_bytes() == (tmp_path / "right.gguf").read_bytes()


def test_several_files_are_one_model_to_llama_cpp(found, tmp_path):
    layouts = _write(found, tmp_path / "t.gguf", split=150_000)
    names = [one.path.name for one in layouts]
    count = len(names)
    assert count > 2 and names[0] == f"t-00001-of-{count:05}.gguf"
    assert all(one.path.stat().st_size == one.size for one in layouts)
    from assistant.engine.logits import all_logits

    whole = _write(found, tmp_path / "whole.gguf")[0].path
    tokens = [5, 9, 200, 41]
    assert np.array_equal(all_logits(layouts[0].path, tokens), all_logits(whole, tokens))


def test_two_processes_do_not_write_one_file(found, folder, tmp_path):
    order = making.Order(found, tmp_path / "t.gguf", "Q8_0", (folder,))
    with alone.held(order.target):
        with pytest.raises(ExportProblem, match="another process is writing"):
            making.make(order)
        assert not order.target.exists()
    making.make(order)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.export.json", "t.gguf"]


def test_a_lock_that_was_removed_by_the_one_who_had_it_is_no_lock(tmp_path, monkeypatch):
    """The other one ends between our opening of the file and our taking of it."""
    real, target = filelock.take, tmp_path / "t.gguf"
    opened = []

    def take(descriptor):
        if not opened:
            (tmp_path / "t.gguf.lock").unlink()
        opened.append(descriptor)
        return real(descriptor)

    monkeypatch.setattr(filelock, "take", take)
    with alone.held(target):
        assert len(opened) == 2
        with pytest.raises(ExportProblem, match="another process"), alone.held(target):
            pass


def test_a_result_is_known_again_and_made_anew_when_its_inputs_change(found, folder, tmp_path):
    order = making.Order(found, tmp_path / "t.gguf", "Q8_0", (folder,))
    making.make(order)
    before = (tmp_path / "t.gguf").stat().st_mtime_ns
    making.make(order)
    assert (tmp_path / "t.gguf").stat().st_mtime_ns == before
    other = dataclasses.replace(found, labels=dataclasses.replace(found.labels, name="other"))
    making.make(making.Order(other, tmp_path / "t.gguf", "Q8_0", (folder,)))
    assert b"other" in (tmp_path / "t.gguf").read_bytes()[:2000]


def test_a_result_in_the_model_s_own_folder_is_known_again(tmp_path):
    folder = made.write(tmp_path / "m", made.tiny_llama_tokenizer(), made.Shape(layers=1))
    labels = Labels("t", chat=LLAMA3)
    found = content.of(merging.opened(folder), folder / "tokenizer.json", labels)
    order = making.Order(found, folder / "t.gguf", "Q8_0", (folder,))
    making.make(order)
    assert making.is_done(order)
    os.utime(folder / "model.safetensors")
    assert not making.is_done(dataclasses.replace(order, inputs_key=""))


def _small(folder):
    labels = Labels("t", chat=LLAMA3)
    return content.of(merging.opened(folder), folder / "tokenizer.json", labels)


def _dies(*_, **__):
    raise _Stopped


@pytest.mark.parametrize("type_name", ["Q8_0", "Q4_K_M"])
def test_a_result_that_somebody_has_changed_is_made_anew(found, folder, tmp_path, type_name):
    target = tmp_path / "t.gguf"
    order = making.Order(found, target, type_name, (folder,))
    making.make(order)
    right = target.read_bytes()
    assert making.is_done(order)
    target.write_bytes(bytes(len(right)))
    assert not making.is_done(order)
    making.make(order)
    assert target.read_bytes() == right
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.export.json", "t.gguf"]


def test_inputs_that_change_on_the_way_are_no_result(tmp_path, monkeypatch):
    folder = made.write(tmp_path / "m", made.tiny_llama_tokenizer(), made.Shape(layers=1))
    order = making.Order(_small(folder), tmp_path / "t.gguf", "Q8_0", (folder,))
    real = writing.write

    def write(*args, **options):
        real(*args, **options)
        os.utime(folder / "config.json", (1, 1))

    monkeypatch.setattr(writing, "write", write)
    with pytest.raises(ExportProblem, match="has changed while it was written"):
        making.make(order)
    monkeypatch.undo()
    again = making.Order(_small(folder), tmp_path / "t.gguf", "Q8_0", (folder,))
    assert not making.is_done(again)
    making.make(again)
    assert making.is_done(again)


def test_an_earlier_result_is_none_while_the_quantiser_works(found, folder, tmp_path, monkeypatch):
    """Killed behind the renaming and before the note, the old note must not stand beside it."""
    target = tmp_path / "t.gguf"
    first = making.Order(found, target, "Q4_K_M", (folder,))
    making.make(first)
    monkeypatch.setattr(quantiser, "quantise", _dies)
    with pytest.raises(_Stopped):
        making.make(making.Order(found, target, "Q5_K_M", (folder,)))
    assert not making.is_done(first)


def test_what_an_earlier_try_has_written_needs_no_room(found, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "NOTE_BYTES", 1)
    order = making.Order(found, tmp_path / "t.gguf", "Q4_K_M", (folder,))
    planned = making.layouts(order)
    whole = making.need(order, planned)
    told: list[int] = []

    place = making.intermediate(order.target)
    with pytest.raises(_Stopped):
        writing.write(found, planned, place, order.key, on_bytes=_stopping(told))
    need = making.need(order, planned)
    assert need.there > 200_000 and whole.there == 0
    free = whole.result + whole.between - need.there + 1000
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, free))
    space.check_disk(need)
    with pytest.raises(ExportProblem, match="left"):
        space.check_disk(whole)


def test_the_text_is_weighed_once_though_the_quantiser_dies(found, folder, tmp_path, monkeypatch):
    columns = {t.name: np.ones(t.shape[1], np.float32) for t in found.tensors if len(t.shape) == 2}
    asked = []

    def compute():
        asked.append(1)
        return columns

    weighing = making.Weighing("text", compute)
    order = making.Order(found, tmp_path / "t.gguf", "Q4_K_M", (folder,), weighing=weighing)
    monkeypatch.setattr(quantiser, "quantise", _dies)
    with pytest.raises(_Stopped):
        making.make(order)
    monkeypatch.undo()
    making.make(order)
    making.make(order)
    assert asked == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.export.json", "t.gguf"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1', '{"key": "k", "tensors": 3}'])
def test_a_broken_record_is_no_record(tmp_path, text):
    record.path_of(tmp_path / "t.gguf").write_text(text)
    assert record.read(tmp_path / "t.gguf", "k") == record.Record("k")


@given(st.lists(st.floats(width=32, allow_nan=False, min_value=-60000, max_value=60000),
                min_size=1, max_size=64))  # fmt: skip
def test_halves_are_rounded_as_the_package_rounds_them(values):
    tensor = torch.tensor(values, dtype=torch.float32)
    for kind in (Kind.F16, Kind.BF16):
        mine = encoding.encoded(tensor, kind, "t").tobytes()
        assert mine == gguf.quants.quantize(tensor.numpy(), kind).tobytes()


def test_values_that_a_type_has_no_place_for_are_refused():
    with pytest.raises(ExportProblem, match=r"t has a value of 7e\+04") as caught:
        encoding.encoded(torch.tensor([1.0, 70000.0]), Kind.F16, "t")
    assert "--type BF16" in caught.value.hint
    assert len(encoding.encoded(torch.tensor([1.0, 70000.0]), Kind.BF16, "t")) == 2
    for bad in (float("nan"), float("inf"), -float("inf")):
        for kind in (Kind.F32, Kind.F16, Kind.Q8_0):
            with pytest.raises(ExportProblem, match="no numbers"):
                encoding.encoded(torch.tensor([[bad] + [0.0] * 31]), kind, "t")


def test_a_record_is_small_json(found, tmp_path):
    _write(found, tmp_path / "t.gguf")
    kept = json.loads((tmp_path / "t.export.json").read_text())
    assert kept["results"]["t.gguf"][0] == (tmp_path / "t.gguf").stat().st_size
