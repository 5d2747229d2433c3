"""What a file says of itself: licence, what it was made from, the run's card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.format import FORMAT_NAME
from tests.support import checkpoints, gguf_content
from tests.support import tokenizers_made as made
from training import gguf_export
from training.export.metadata import Labels, Origin


def _keys(tmp_path: Path, labels: Labels) -> dict[str, Any]:
    tokenizer = made.made(made.QWEN, ("<|im_end|>",))
    folder = checkpoints.write(tmp_path / "model", "qwen2", tokenizer, settings={})
    target = tmp_path / "model.gguf"
    gguf_export.write(folder, folder / "tokenizer.json", target, "F16", labels)
    return gguf_content.read(target).keys


def test_lineage_and_the_card_of_the_run(tmp_path: Path) -> None:
    card = {"recipe": "taco8b", "data.sha256": "ab" * 32, "scores.humaneval": "0.61", "empty": ""}
    origin = Origin("org/base-1.5B", "0f3c")
    keys = _keys(tmp_path, Labels("Tuned", licence="mit", origin=origin, card=card))
    assert keys["general.license"] == "mit"
    assert keys["general.base_model.0.name"] == "base-1.5B"
    assert keys["general.base_model.0.organization"] == "org"
    assert keys["general.base_model.0.version"] == "0f3c"
    found = {name: text for name, text in keys.items() if name.startswith("assistant.card.")}
    assert found == {
        "assistant.card.recipe": "taco8b", "assistant.card.data.sha256": "ab" * 32,
        "assistant.card.scores.humaneval": "0.61",
    }  # fmt: skip
    assert keys["assistant.format.name"] == FORMAT_NAME


def test_a_model_that_was_not_tuned_on_the_format_does_not_claim_it(tmp_path: Path) -> None:
    keys = _keys(tmp_path, Labels("Base", chat=None, follows_format=False))
    assert not [name for name in keys if name.startswith("assistant.")]
