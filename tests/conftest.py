"""What every test relies on: a state folder of its own, never the user's."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

# How long an example takes says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

# They name folders of downloaded models, the hub and the token of the person who runs the tests.
HUB_VARIABLES = (
    *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE"),
    *("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "TRANSFORMERS_OFFLINE"),
    *("LLAMA_CACHE", "LMSTUDIO_HOME"),
)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the state of the person who runs it."""
    home: Path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    for name in ("ASSISTANT_MODEL", "ASSISTANT_ENDPOINT", "ASSISTANT_ENDPOINT_URL", *HUB_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    return home


def pytest_report_header() -> list[str]:
    """The versions that decide what a failure means."""
    from importlib.metadata import PackageNotFoundError, version

    lines = []
    for package in ("llama-cpp-python", "torch", "textual", "pygls"):
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package} is not installed")
    return lines
