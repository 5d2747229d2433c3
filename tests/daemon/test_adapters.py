"""A real daemon with a model and an adapter, chosen by a name as any model is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant import locations
from assistant.cli.main import main
from assistant.client import Daemon, connection
from assistant.client.stop import stop
from assistant.client.types import ChatRequest, Delta
from assistant.errors import DaemonProblem, ModelProblem
from tests.support import tiny_adapter
from tests.support.tiny_gguf import Tiny, chain_of, write

ABCD = Tiny(chain=chain_of(*"ABCD"), format=None)


@pytest.fixture
def folder() -> Path:
    """A base, two adapters for it, and the second one merged."""
    folder = locations.models_dir()
    folder.mkdir(parents=True)
    write(folder / "base.gguf", ABCD)
    write(folder / "merged.gguf", Tiny(chain=chain_of(*"XYZ")))
    for name in ("XYZ", "PQ"):
        tensors = tiny_adapter.of_chain(ABCD, chain_of(*name))
        tiny_adapter.write(folder / f"{name}.gguf", tensors, format=("reasoning-then-code", 1))
    return folder


@pytest.fixture(autouse=True)
async def _ended(_own_home: Path):
    yield
    await stop()


async def _said(model: str, *, start: bool = True, **options: str) -> tuple[str, dict]:
    """What a daemon answers that is asked for `model`, and its status."""
    target = Daemon(model, threads=1, **options)
    async with await connection.connect(target, start=start) as made:
        request = ChatRequest([{"role": "user", "content": "hi"}], max_tokens=20)
        chunks = [chunk async for chunk in made.stream_chat(request)]
        text = "".join(chunk.text for chunk in chunks if isinstance(chunk, Delta))
        return text, await made.status()


async def test_the_answer_is_that_of_the_merged_model(folder):
    merged, _ = await _said("merged")
    text, status = await _said("base+XYZ")

    assert text == merged == "XYZ"
    model = status["model"]
    assert model["id"] == "base+XYZ"
    assert (model["path"], model["adapter"]) == (
        str(folder / "base.gguf"), str(folder / "XYZ.gguf")
    )  # fmt: skip
    assert model["format"] == {"name": "reasoning-then-code", "version": 1}


async def test_another_adapter_or_a_new_one_is_loaded_anew(folder):
    text, first = await _said("base+XYZ")
    again, second = await _said(f"{folder}/base.gguf+XYZ.gguf")
    assert (text, again) == ("XYZ", "XYZ")
    assert first["pid"] == second["pid"]

    assert (await _said("base+PQ"))[0] == "PQ"
    assert (await _said("base"))[0] == "ABCD"
    with pytest.raises(DaemonProblem, match=r"holds .*base\.gguf, not .*base\.gguf\+.*XYZ\.gguf"):
        await _said("base+XYZ", start=False)

    # The same name, loaded, and then another file.
    assert (await _said("base+XYZ"))[0] == "XYZ"
    (folder / "XYZ.gguf").unlink()
    tiny_adapter.write(folder / "XYZ.gguf", tiny_adapter.of_chain(ABCD, chain_of(*"NEW")))
    assert (await _said("base+XYZ"))[0] == "NEW"


async def test_one_of_another_model_starts_no_daemon(folder):
    tiny_adapter.write(
        folder / "foreign.gguf", tiny_adapter.random_of(Tiny(), ("blk.9.attn_q.weight",))
    )
    with pytest.raises(ModelProblem, match=r"foreign\.gguf does not fit base\.gguf"):
        await _said("base+foreign")
    assert not locations.log_path("daemon").exists()


async def test_the_model_for_completions_can_have_one(folder):
    _, status = await _said("base+XYZ", inline_model="base+PQ")

    assert status["inline_path"] == str(folder / "base.gguf")
    assert status["inline_adapter"] == str(folder / "PQ.gguf")
    same, _ = await _said("base+XYZ", inline_model=f"{folder}/base.gguf+XYZ.gguf")
    assert same == "XYZ"


def test_a_person_chooses_and_sees_it(folder, capsys):
    assert main(["models", "use", "base+XYZ"]) == 0
    assert "base+XYZ answers from now on" in capsys.readouterr().err

    assert main(["models", "list", "--json"]) == 0
    rows = {row["name"]: row["kind"] for row in json.loads(capsys.readouterr().out)}
    assert (rows["base"], rows["XYZ"]) == ("model", "adapter")
    assert main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert ", an adapter: " in listed
    assert "MODEL+ADAPTER" in listed

    assert main(["models", "info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["adapter"]) == ("base+XYZ", str(folder / "XYZ.gguf"))

    # It wrote no code, and is told so.
    assert main(["ask", "hi"]) == 1
    assert "XYZ" in capsys.readouterr().err
    assert main(["status"]) == 0
    assert f"base.gguf with the adapter {folder}/XYZ.gguf" in capsys.readouterr().out
