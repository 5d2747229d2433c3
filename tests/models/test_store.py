"""A name means one model file, or the error says what there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant import config, locations
from assistant.errors import ModelProblem
from assistant.models import store
from tests.support.tiny_gguf import Tiny, write


@pytest.fixture
def pulled() -> Path:
    """A model in the models folder, two levels deep."""
    folder = locations.models_dir() / "org" / "repo"
    folder.mkdir(parents=True)
    return write(folder / "tiny.gguf", Tiny(layers=1))


def test_a_model_is_found_by_path_and_by_name(
    pulled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pulled.parent)

    assert store.resolve(str(pulled)) == pulled
    assert store.resolve("tiny.gguf") == pulled
    assert store.resolve("org/repo/tiny.gguf") == pulled
    assert store.resolve("org/repo/tiny") == pulled
    assert store.name_of(pulled) == "org/repo/tiny"


def test_an_unknown_name_says_what_there_is(pulled: Path) -> None:
    with pytest.raises(ModelProblem, match=r"no model 'nope'.*org/repo/tiny"):
        store.resolve("nope")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelProblem, match=r"gone\.gguf does not exist"):
        store.resolve(str(tmp_path / "gone.gguf"))


def test_the_list_has_every_file_once(pulled: Path) -> None:
    entries = {entry.name: entry for entry in store.entries()}

    assert entries["org/repo/tiny"].path == pulled
    assert entries["org/repo/tiny"].size == pulled.stat().st_size
    assert (store.EMBEDDED in entries) == store.embedded_path().is_file()


def test_info_reads_the_file(pulled: Path) -> None:
    info = store.info("org/repo/tiny")

    assert (info.title, info.architecture, info.context_length) == ("tiny", "llama", 512)
    assert (info.format_name, info.format_version) == ("reasoning-then-code", 1)
    assert info.chat
    assert info.tensor_types == ("F32",)


def test_the_chosen_model_is_remembered(pulled: Path) -> None:
    store.use("org/repo/tiny")

    assert config.load().settings.model == "org/repo/tiny"


def test_a_model_that_can_not_be_asked_is_not_chosen(tmp_path: Path) -> None:
    base = write(tmp_path / "base.gguf", Tiny(layers=1, template=None))

    with pytest.raises(ModelProblem, match="no chat template"):
        store.use(str(base))
    assert config.load().settings.model == ""


def test_a_broken_model_is_not_chosen(tmp_path: Path) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("not a model")

    with pytest.raises(ModelProblem, match="not a GGUF file"):
        store.use(str(text))
    assert config.load().settings.model == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("~nosuchuser/x.gguf", "no such user's home"),
        ("x" * 300, "File name too long"),
        ("./" + "y" * 300 + ".gguf", "File name too long"),
    ],
)
def test_a_name_that_no_file_can_have_is_told(name: str, reason: str) -> None:
    with pytest.raises(ModelProblem, match=reason) as caught:
        store.resolve(name)
    assert name[:20] in caught.value.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    try:
        with pytest.raises(ModelProblem, match="Permission denied"):
            store.resolve(str(locked / "m.gguf"))
    finally:
        locked.chmod(0o700)
