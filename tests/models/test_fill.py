"""Whether a model can fill in is known without llama.cpp, and llama.cpp agrees."""

from __future__ import annotations

from pathlib import Path

import gguf as reference
import pytest

from assistant.errors import ModelProblem
from assistant.models import fill, gguf, store
from tests.support.tiny_gguf import FIM, Tiny, write


def test_tokens_that_the_metadata_names(tmp_path: Path) -> None:
    able = gguf.read_header(write(tmp_path / "able.gguf", Tiny(layers=1)))
    unable = gguf.read_header(write(tmp_path / "unable.gguf", Tiny(layers=1, fim=False)))

    assert fill.missing(able) == ()
    assert fill.missing(unable) == ("prefix", "suffix", "middle")


def vocabulary_only(path: Path, texts: list[str]) -> Path:
    """A header whose vocabulary has these tokens, named by no key."""
    writer = reference.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*(f"t{number}" for number in range(300)), *texts])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    "texts",
    [FIM, ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), ("▁<PRE>", "▁<SUF>", "▁<MID>")],
)
def test_tokens_of_the_vocabulary(tmp_path: Path, texts: tuple[str, ...]) -> None:
    path = vocabulary_only(tmp_path / "v.gguf", list(texts))
    assert fill.missing(gguf.read_header(path)) == ()

    longer = vocabulary_only(tmp_path / "l.gguf", [f"{text}>" for text in texts])
    assert fill.missing(gguf.read_header(longer)) == ("prefix", "suffix", "middle")

    two = vocabulary_only(tmp_path / "t.gguf", list(texts[:2]))
    assert fill.missing(gguf.read_header(two)) == ("middle",)


SEED = ("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>")
MISTRAL = ("[PREFIX]", "[SUFFIX]", "[MIDDLE]")


@pytest.mark.parametrize(
    ("spec", "able"),
    [
        (Tiny(layers=1), True),
        (Tiny(layers=1, fim=False), False),
        (Tiny(layers=1, fim=False, specials=SEED), True),
        (Tiny(layers=1, fim=False, specials=MISTRAL, name="Codestral-22B"), True),
        (Tiny(layers=1, fim=False, specials=MISTRAL, name="Mistral-Nemo"), False),
    ],
)
def test_the_engine_agrees(tmp_path: Path, spec: Tiny, able: bool) -> None:
    engine = pytest.importorskip("assistant.engine.engine")
    path = write(tmp_path / "tiny.gguf", spec)

    with engine.Engine(path) as loaded:
        assert loaded.facts.fim == able == (fill.missing(gguf.read_header(path)) == ())


def test_which_model_completes(tmp_path: Path) -> None:
    able = str(write(tmp_path / "able.gguf", Tiny(layers=1)))
    unable = str(write(tmp_path / "unable.gguf", Tiny(layers=1, fim=False)))

    assert store.inline_name(able, "") == (able, "")
    assert store.inline_name(unable, able) == (able, "")
    name, reason = store.inline_name(unable, "")
    assert name == unable
    assert reason == f"{unable} has no token for the prefix and the suffix and the middle"
    with pytest.raises(ModelProblem):
        store.inline_name(able, "org/none")
