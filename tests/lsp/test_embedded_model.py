"""The embedded model is asked for what it has learned, and for nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.lsp.test_real_daemon import assistant
from tests.support.generating import asking, command
from tests.support.lsp_client import Buffer, LspClient

TEXT = 'def count_vowels(text):\n    """Count the vowels in a text."""\n'


def test_it_implements_and_says_that_it_explains_nothing(tmp_path: Path) -> None:
    with LspClient({"ASSISTANT_HOME": str(tmp_path)}) as client:
        client.initialize()
        buffer = Buffer("file:///nowhere/vowels.py", TEXT)
        client.open(buffer)

        below = buffer.position(len(TEXT))  # where the cursor stands after Enter
        place = {"start": below, "end": below}
        written = command(client, "generate", task="implement", uri=buffer.uri, range=place)
        explained = client.result(asking(client, buffer, "explain", "count"))

        assert written["state"] == "offered"
        assert written["verdict"]["outcome"] == "parsed"
        assert explained["state"] == "failed"
        assert "writes small functions" in explained["reason"]
        assert "assistant models use" in explained["reason"]
        assert "verdict" not in explained
    assert assistant(tmp_path, "stop").returncode == 0
