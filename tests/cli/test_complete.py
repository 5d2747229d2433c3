"""`assistant complete`: the command as users run it, with the real daemon and real models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.cli.main import main
from assistant.models import store
from tests.cli.conftest import Assistant
from tests.support.tiny_gguf import Tiny, write

MIDDLE, END = "<|fim_middle|>", "<|im_end|>"
KEYS = {
    "text", "offset", "range", "model", "prompt_tokens", "cached_tokens", "completion_tokens",
    "ttft_ms", "tokens_per_second", "shown", "reason",
}  # fmt: skip


@pytest.fixture(scope="module")
def says(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that says `answer = 42` at the beginning of every line."""
    word = "answer = 42"
    spec = Tiny(chain={MIDDLE: word, "\n": word, word: END}, words=(word,), name="says")
    return str(write(tmp_path_factory.mktemp("says") / "says.gguf", spec))


@pytest.fixture
def complete(shared: Assistant, says: str):
    """Runs the command; all tests of a model share a daemon."""

    def run(place: str, *arguments: str, model: str = says):
        home = str(shared.home / Path(model).stem)
        Path(home).mkdir(exist_ok=True)
        return shared.run("complete", place, *arguments, ASSISTANT_MODEL=model, ASSISTANT_HOME=home)

    return run


def test_the_suggestion_alone_is_on_stdout(complete, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"import os\r\n\r\nx = 1\r\n")

    done = complete(f"{file}:2:1")

    assert (done.returncode, done.stdout, done.stderr) == (0, "answer = 42\n", "")
    assert file.read_bytes() == b"import os\r\n\r\nx = 1\r\n"


def test_json_has_the_place_and_the_cost(complete, tmp_path: Path) -> None:
    """Columns count characters, whatever their bytes are."""
    file = tmp_path / "a.py"
    # Longer than what the engine thinks too short to be kept.
    file.write_text("# " + 40 * "é👩" + "\n    \n", "utf-8")
    complete(f"{file}:2:5")

    done = complete(f"{file}:2:5", "--json")
    body = json.loads(done.stdout)

    assert done.returncode == 0
    assert set(body) == KEYS
    # The white space in front of the cursor is not the model's.
    assert body["range"] == {"start": 83, "end": 87}
    assert (body["text"], body["offset"], body["shown"]) == ("answer = 42", 87, True)
    assert body["model"].endswith("says.gguf")
    # Asked again, all but the last token is there.
    assert body["cached_tokens"] == body["prompt_tokens"] - 1
    assert body["completion_tokens"] >= 1
    assert body["ttft_ms"] > 0


def test_nothing_to_show_is_no_error(complete, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("value = 1\n")

    done = complete(f"{file}:1:3")
    body = json.loads(complete(f"{file}:1:3", "--json").stdout)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Nothing to show: the cursor is inside of a word.\n"
    assert (body["shown"], body["text"]) == (False, "")
    assert body["reason"] == "the cursor is inside of a word"


def test_a_file_that_parsed_still_does(complete, tmp_path: Path) -> None:
    """The model's line is good Python, and not there."""
    file = tmp_path / "a.py"
    file.write_text("x = 1\ny = (\n\n)\n")

    assert complete(f"{file}:3:1").stderr == (
        "Nothing to show: the file would not parse any more.\n"
    )


def test_a_model_that_can_not_fill_in_says_so(complete, tmp_path: Path) -> None:
    model = str(write(tmp_path / "plain.gguf", Tiny(fim=False, chain={"\n": END})))
    file = tmp_path / "a.py"
    file.write_text("")

    done = complete(f"{file}:1:1", "--json", model=model)

    assert done.returncode == 1
    assert "no fill-in-the-middle tokens" in done.stderr
    assert "assistant models use" in done.stderr
    body = json.loads(done.stdout)
    assert body["shown"] is False
    assert "no fill-in-the-middle tokens" in body["reason"]


def test_an_odd_encoding_is_read(complete, tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"# caf\xe9\n\n")

    done = complete(f"{file}:2:1")

    assert done.stdout == "answer = 42\n"
    assert "is read as Latin-1" in done.stderr


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{file}", "it is written FILE:LINE:COLUMN"),
        ("{file}:1", "it is written FILE:LINE:COLUMN"),
        ("{file}:1:x", "it is written FILE:LINE:COLUMN"),
        ("{file}:-1:1", "it is written FILE:LINE:COLUMN"),
        ("{file}:3:1", "no line 3: the file has 2"),
        ("{file}:1:7", "no column 7 in line 1"),
        ("{file}:1:0", "no column 0"),
        ("{file}:1:99999999999999999999", "no place"),
        ("{folder}:1:1", "is a folder"),
        ("{folder}/b.py:1:1", "can not be read"),
        ("{binary}:1:1", "it is no text"),
    ],
)
def test_wrong_usage(capsys, tmp_path: Path, place: str, said: str) -> None:
    file, binary = tmp_path / "a.py", tmp_path / "b.bin"
    file.write_text("x = 1\n")
    binary.write_bytes(b"\x00\x01")

    code = main(["complete", place.format(file=file, folder=tmp_path, binary=binary)])
    stdout, stderr = capsys.readouterr()

    assert (code, stdout) == (2, "")
    assert said in stderr


def test_the_embedded_model_completes(shared: Assistant, tmp_path: Path) -> None:
    if not store.embedded_path().exists():
        pytest.skip("the embedded model is not in this tree: make starter")
    file = tmp_path / "a.py"
    file.write_text("def positives(values):\n    return [v for v in val\n")

    done = shared.run("complete", f"{file}:2:27")

    assert done.returncode == 0
    assert done.stdout.startswith("ues")
