"""`assistant models`: choosing for a role, what is recommended, removing, asking a person."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant import config, locations
from assistant.cli.main import main
from assistant.models import catalogue, memory
from tests.support.hub_server import HubServer
from tests.support.tiny_gguf import Tiny, write

NAME = "org/Tiny-GGUF"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub with models that can and can not be asked and complete."""
    specs = {
        "Both-Q4_K_M": Tiny(layers=1),
        "Chat-Q8_0": Tiny(layers=1, fim=False),
        "Fill-Q6_K": Tiny(layers=1, template=None),
    }
    files = {f"{name}.gguf": write(tmp_path / f"{name}.gguf", spec).read_bytes()
             for name, spec in specs.items()}  # fmt: skip
    with HubServer() as server:
        server.add(NAME, files)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["models", *arguments])
    return code, *capsys.readouterr()


def settings() -> tuple[str, str]:
    found = config.load().settings
    return found.model, found.inline_model


class TestUse:
    def test_a_model_for_each_role(self, hub: HubServer, capsys) -> None:
        for quant in ("Q8_0", "Q6_K"):
            assert run(capsys, "pull", f"{NAME}:{quant}")[0] == 0

        assert run(capsys, "use", f"{NAME}:Q8_0")[0] == 0
        code, out, err = run(capsys, "use", f"{NAME}:Q6_K", "--role", "inline")

        assert (code, out) == (0, "")
        assert f"{NAME}:Q6_K completes from now on" in err
        assert settings() == (f"{NAME}:Q8_0", f"{NAME}:Q6_K")
        listed = run(capsys, "list")[1]
        assert f"* {NAME}:Q8_0" in listed
        assert f"+ {NAME}:Q6_K" in listed
        rows = {row["name"]: row for row in json.loads(run(capsys, "list", "--json")[1])}
        assert rows[f"{NAME}:Q8_0"]["in_use"]
        assert rows[f"{NAME}:Q6_K"]["completes"]
        assert rows[f"{NAME}:Q6_K"]["place"] == "Hugging Face cache"

    def test_what_can_not_do_a_role_is_not_chosen_for_it(self, hub: HubServer, capsys) -> None:
        for quant in ("Q8_0", "Q6_K"):
            run(capsys, "pull", f"{NAME}:{quant}")

        code, _, err = run(capsys, "use", f"{NAME}:Q8_0", "--role", "inline")
        assert code == 1
        assert "no token for the prefix" in err
        code, _, err = run(capsys, "use", f"{NAME}:Q6_K")
        assert code == 1
        assert "no chat template" in err
        assert "--role inline" in err
        assert settings() == ("", "")

    def test_back_to_one_model_for_both(self, hub: HubServer, capsys) -> None:
        run(capsys, "pull", NAME)
        run(capsys, "use", NAME, "--role", "inline")
        assert settings() == ("", f"{NAME}:Q4_K_M")

        assert run(capsys, "use", "", "--role", "inline")[0] == 0
        assert settings() == ("", "")

    def test_what_is_not_here_is_explained_and_not_downloaded(self, hub: HubServer, capsys) -> None:
        code, _, err = run(capsys, "use", NAME)

        assert code == 1
        assert f"assistant models pull {NAME}" in err
        code, _, err = run(capsys, "use", "llama-8b")
        assert code == 1
        assert "llama-8b (bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M) is not on this" in err
        assert "assistant models pull llama-8b" in err
        assert hub.asked == []

    def test_without_a_terminal_a_name_is_needed(self, capsys, monkeypatch) -> None:
        code, _, err = run(capsys, "use")

        assert code == 2
        assert "the name has to be given" in err

    def test_a_model_that_is_too_large_is_chosen_with_a_word(
        self, hub: HubServer, capsys, monkeypatch
    ) -> None:
        monkeypatch.setenv("ASSISTANT_DAEMON_MEMORY_GB", "0.01")
        run(capsys, "pull", NAME)
        code, _, err = run(capsys, "use", NAME)

        assert code == 0
        assert "Mind the memory" in err
        assert "10.0 MB may be used" in err

    def test_a_blob_of_ollama_is_used_with_a_word(self, tmp_path: Path, capsys) -> None:
        path = tmp_path / "blobs" / f"sha256-{'a' * 64}"
        path.parent.mkdir()
        write(path, Tiny(layers=1))
        code, _, err = run(capsys, "use", str(path))

        assert code == 0
        assert "a file of Ollama's" in err
        assert "a file of Ollama's" in run(capsys, "info", str(path))[2]


class TestAtATerminal:
    """A pseudo-terminal, and answers that are typed on it."""

    def talk(self, typed: str, *arguments: str) -> tuple[int, str]:
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "assistant", "models", *arguments],
            stdin=follower, stdout=follower, stderr=follower, env=os.environ | {"TERM": "dumb"},
        )  # fmt: skip
        os.close(follower)
        os.write(leader, typed.encode())
        shown = b""
        try:
            while piece := os.read(leader, 65536):
                shown += piece
        except OSError:
            pass  # how the end of a terminal reads on Linux
        code = process.wait(60)
        os.close(leader)
        return code, shown.decode()

    def test_a_person_chooses_among_what_is_here_and_what_fits(
        self, hub: HubServer, capsys
    ) -> None:
        run(capsys, "pull", f"{NAME}:Q8_0")
        code, shown = self.talk("none\n99\n1\n", "use")

        assert code == 0, shown
        assert "Type a number from 1 to" in shown
        assert "starter" in shown and f"{NAME}:Q8_0" in shown
        fitting = [one for one in catalogue.RECOMMENDED if one.fits(memory.total_bytes())]
        assert all(one.alias in shown for one in fitting)
        assert settings() == ("", "")

    def test_no_answer_changes_nothing(self, capsys) -> None:
        code, shown = self.talk("\x04", "use")

        assert code == 2
        assert "No answer came" in shown
        assert not locations.config_file().exists()

    @pytest.mark.parametrize("answer", ["y", "n", ""])
    def test_a_download_is_offered(self, hub: HubServer, answer: str) -> None:
        code, shown = self.talk(f"{answer}\n", "use", NAME)

        assert "Download it? [y/N]" in shown
        assert (code == 0) == (answer == "y") == bool(hub.downloads)
        assert settings() == ((f"{NAME}:Q4_K_M", "") if answer == "y" else ("", ""))

    @pytest.mark.parametrize("answer", ["yes", "no"])
    def test_removing_asks(self, hub: HubServer, capsys, answer: str) -> None:
        path = Path(run(capsys, "pull", NAME)[1].strip())
        code, shown = self.talk(f"{answer}\n", "remove", NAME)

        assert f"Delete {NAME} (" in shown
        assert (code == 0) == (answer == "yes") == (not path.exists())


class TestRemove:
    def test_without_a_terminal_it_wants_a_yes(self, hub: HubServer, capsys) -> None:
        path = Path(run(capsys, "pull", NAME)[1].strip())

        code, _, err = run(capsys, "remove", NAME)
        assert (code, path.exists()) == (2, True)
        assert "--yes" in err
        code, _, err = run(capsys, "remove", NAME, "--yes")
        assert (code, path.exists()) == (0, False)
        assert "free again" in err

    @pytest.mark.parametrize("role", ["generate", "inline"])
    def test_a_model_in_use_stays(self, hub: HubServer, capsys, role: str) -> None:
        path = Path(run(capsys, "pull", NAME)[1].strip())
        run(capsys, "use", NAME, "--role", role)

        code, _, err = run(capsys, "remove", NAME, "--yes")
        assert (code, path.exists()) == (1, True)
        assert "is in use" in err
        assert f"--role {role}" in err

    def test_files_of_the_user_stay(self, capsys, tmp_path: Path) -> None:
        path = write(tmp_path / "mine.gguf", Tiny(layers=1))

        for name in (str(path), "starter"):
            code, _, err = run(capsys, "remove", name, "--yes")
            assert code == 1
            assert "was not downloaded by this program" in err
        assert path.exists()


class TestCatalogue:
    def test_what_fits_is_listed_with_role_and_licence(self, capsys, monkeypatch) -> None:
        monkeypatch.setattr(memory, "total_bytes", lambda: 8 << 30)
        out = run(capsys, "list", "--available")[1]

        assert "this machine's 8.6 GB of memory" in out
        assert "llama-8b         generate" in out
        assert "Llama 3.1 Community" in out
        assert "Too large for it: qwen-coder-7b (10 GB), seed-coder-8b (7 GB)" in out
        assert "Qwen2.5-Coder-3B (qwen-research: not for commercial work" in out

    def test_as_json(self, capsys) -> None:
        rows = json.loads(run(capsys, "list", "--available", "--json")[1])

        assert [row["alias"] for row in rows] == [one.alias for one in catalogue.RECOMMENDED]
        assert all(row["licence"] and row["roles"] for row in rows)

    def test_aliases_are_names_of_models_and_of_nothing_else(self) -> None:
        aliases = [one.alias for one in catalogue.RECOMMENDED]

        assert len(set(aliases)) == len(aliases)
        for one in catalogue.RECOMMENDED:
            assert "/" not in one.alias
            assert one.reference.repository
            assert one.size < one.memory
            assert set(one.roles) <= {"generate", "inline"}
            assert not catalogue.licence_warning(one.reference.repository, one.licence)

    def test_every_role_has_a_model_for_a_laptop_of_8_gb(self) -> None:
        fitting = [one for one in catalogue.RECOMMENDED if one.fits(8 << 30)]

        assert {role for one in fitting for role in one.roles} == {"generate", "inline"}

    def test_what_is_here_is_not_recommended_again(self, hub: HubServer, capsys) -> None:
        content = next(iter(hub.repositories[NAME].files.values()))
        one = catalogue.by_alias("qwen-coder-0.5b")
        assert one is not None
        hub.add(one.reference.repository, {"qwen2.5-coder-0.5b-q8_0.gguf": content})
        assert run(capsys, "pull", one.alias)[0] == 0

        listed, recommended = run(capsys, "list")[1].split("Recommended")
        assert one.reference.repository in listed
        assert one.alias not in recommended
