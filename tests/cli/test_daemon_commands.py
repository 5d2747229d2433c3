"""`serve`, `status`, `stop`, `models` and `doctor`, with the real daemon."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Assistant


def test_serve_status_stop(assistant: Assistant):
    """The way through a daemon's life; each step may be repeated."""
    assert assistant.run("status").returncode == 1
    assert "does not run" in assistant.run("status").stderr
    assert json.loads(assistant.run("status", "--json").stdout) == {"running": False}

    for _ in range(2):
        served = assistant.run("serve", "--model", assistant.model("good"))
        assert served.returncode == 0, served.stderr
        assert "The engine runs (pid" in served.stderr

    status = json.loads(assistant.run("status", "--json").stdout)
    assert status["running"] is True
    assert status["pid"] > 0
    assert status["models"][0]["path"] == assistant.model("good")
    assert status["memory"] > 1_000_000
    assert status["queue"] == {"running": 0, "waiting": 0}
    told = assistant.run("status")
    assert (told.returncode, told.stderr) == (0, "")
    assert f"pid         {status['pid']}\n" in told.stdout

    for said in (f"The engine (pid {status['pid']}) has ended.", "The engine does not run."):
        stopped = assistant.run("stop")
        assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "", said + "\n")


def test_two_daemons_do_not_share_a_home(assistant: Assistant):
    assistant.run("serve", "--model", assistant.model("good"))
    second = assistant.run("serve", "--foreground", "--model", assistant.model("good"))

    assert second.returncode == 1
    assert "runs already" in second.stderr
    assert "assistant stop" in second.stderr


def test_serve_over_loopback_says_where(assistant: Assistant):
    """And that a running one has no port, when it has none."""
    served = assistant.run("serve", "--loopback", "--model", assistant.model("good"))
    status = json.loads(assistant.run("status", "--json").stdout)
    assert served.returncode == 0, served.stderr
    assert f"http://127.0.0.1:{status['loopback']}/v1; the key is in" in served.stderr
    assistant.run("stop")

    assistant.run("serve", "--model", assistant.model("good"))
    again = assistant.run("serve", "--loopback", "--model", assistant.model("good"))
    assert "without a port of 127.0.0.1" in again.stderr
    wrong = assistant.run("serve", "--loopback", "99999")
    assert (wrong.returncode, "a port is from 1 to 65535" in wrong.stderr) == (2, True)


def test_with_an_endpoint_there_is_nothing_to_serve(assistant: Assistant):
    done = assistant.run("serve", ASSISTANT_ENDPOINT_URL="http://127.0.0.1:9/v1")

    assert done.returncode == 2
    assert "$ASSISTANT_ENDPOINT_URL" in done.stderr


class TestModels:
    def put(self, assistant: Assistant, name: str) -> None:
        folder = assistant.home / "models"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.gguf").write_bytes((assistant.models / f"{name}.gguf").read_bytes())

    def test_use_is_remembered_and_listed(self, assistant: Assistant):
        self.put(assistant, "good")
        self.put(assistant, "prose")
        (assistant.home / "config.toml").write_text("# mine\n[ask]\nmax_tokens = 99\n")

        assert assistant.run("models", "use", "good").returncode == 0

        assert (assistant.home / "config.toml").read_text() == (
            '# mine\nmodel = "good"\n[ask]\nmax_tokens = 99\n'
        )
        rows = json.loads(assistant.run("models", "list", "--json").stdout)
        used = {row["name"]: row["in_use"] for row in rows if row["name"] != "starter"}
        assert used == {"good": True, "prose": False}
        assert "* good" in assistant.run("models", "list").stdout

    def test_info_reads_the_file(self, assistant: Assistant):
        told = assistant.run("models", "info", assistant.model("good"))
        facts = json.loads(
            assistant.run("models", "info", "--json", assistant.model("good")).stdout
        )

        assert told.returncode == 0
        assert "llama" in told.stdout
        assert facts["architecture"] == "llama"
        assert facts["context_length"] == 512
        assert facts["format"] == {"name": "reasoning-then-code", "version": 1}
        assert facts["chat"] is True

    @pytest.mark.parametrize("action", ["info", "use"])
    def test_a_name_that_means_nothing(self, assistant: Assistant, action: str):
        done = assistant.run("models", action, "nothing")

        assert done.returncode == 1
        assert "'nothing'" in done.stderr
        assert not (assistant.home / "config.toml").exists()


class TestDoctor:
    def findings(self, assistant: Assistant, **environment: str) -> tuple[int, dict[str, dict]]:
        done = assistant.run("doctor", "--json", **environment)
        assert done.stderr == ""
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return done.returncode, {one["check"]: one for one in found}

    def test_a_sound_installation(self, assistant: Assistant):
        code, found = self.findings(assistant, ASSISTANT_MODEL=assistant.model("good"))

        assert code == 0, found
        assert {one["state"] for one in found.values()} == {"ok"}
        assert set(found) >= {
            *("python", "settings", "folders", "engine library", "model", "connection"),
        }
        assert "$ASSISTANT_MODEL" in found["settings"]["message"]

    def test_a_broken_model_is_a_problem_with_advice(self, assistant: Assistant, tmp_path):
        broken = tmp_path / "broken.gguf"
        broken.write_bytes(b"GGUF")
        code, found = self.findings(assistant, ASSISTANT_MODEL=str(broken))

        assert code == 1
        assert found["model"]["state"] == "problem"
        assert str(broken) in found["model"]["message"]
        assert found["python"]["state"] == "ok"

    def test_wrong_settings_do_not_hide_the_other_checks(self, assistant: Assistant):
        code, found = self.findings(assistant, ASSISTANT_ASK_MAX_TOKENS="x")

        assert code == 1
        assert found["settings"]["state"] == "problem"
        assert found["folders"]["state"] == "ok"

    def test_a_variable_with_a_misspelt_name_is_a_warning(self, assistant: Assistant):
        _, found = self.findings(
            assistant, ASSISTANT_MODLE="x", ASSISTANT_MODEL=assistant.model("good")
        )

        assert found["settings"]["state"] == "warning"
        assert "$ASSISTANT_MODLE" in found["settings"]["message"]

    def test_a_folder_that_can_not_be_written_is_a_problem(self, assistant: Assistant, tmp_path):
        taken = tmp_path / "taken"
        taken.write_text("")
        code, found = self.findings(assistant, ASSISTANT_HOME=str(taken))

        assert code == 1
        assert found["folders"]["state"] == "problem"
        assert "ASSISTANT_HOME" in found["folders"]["advice"]

    def test_for_people_it_is_one_line_a_check_and_what_to_do(self, assistant: Assistant):
        done = assistant.run("doctor", ASSISTANT_MODEL="nothing")

        assert done.returncode == 1
        assert "ok       python: Python 3." in done.stdout
        assert "problem  model: There is no model 'nothing'" in done.stdout
        assert "-> " in done.stdout
