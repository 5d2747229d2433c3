"""The matrices of a student of the Llama family, and how many weights they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem, UsageProblem
from training.settings import Adapter, Settings, Student

_CONFIG = "config.json"


@dataclass(frozen=True)
class Shape:
    """Sizes of a model: Llama, or one that differs from it by biases alone (Qwen2)."""

    width: int
    """Of a hidden state."""
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocabulary: int
    head: int
    """Width of an attention head."""
    tied: bool
    """The embedding is the output matrix, too."""
    biased: bool = False
    """Queries, keys and values have biases."""
    source: str = ""
    """Where these numbers are from."""

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """The linear layers of one block by name, as (rows, columns)."""
        queries, keys = self.heads * self.head, self.kv_heads * self.head
        return {
            "q_proj": (queries, self.width),
            "k_proj": (keys, self.width),
            "v_proj": (keys, self.width),
            "o_proj": (self.width, queries),
            "gate_proj": (self.feed_forward, self.width),
            "up_proj": (self.feed_forward, self.width),
            "down_proj": (self.width, self.feed_forward),
        }

    @property
    def linear(self) -> int:
        """Weights of the linear layers of all blocks."""
        return self.layers * sum(rows * columns for rows, columns in self.matrices.values())

    @property
    def head_weights(self) -> int:
        """Weights of the output matrix, counted also where it is the embedding."""
        return self.vocabulary * self.width

    @property
    def parameters(self) -> int:
        """All weights; a tied embedding counts once."""
        embeddings = self.head_weights * (1 if self.tied else 2)
        norms = (2 * self.layers + 1) * self.width
        biases = self.layers * (self.heads + 2 * self.kv_heads) * self.head if self.biased else 0
        return embeddings + self.linear + norms + biases


def trainable(shape: Shape, settings: Adapter) -> int:
    """Weights of the adapter: for each target a (rank, columns) and a (rows, rank) matrix.

    Source: E. J. Hu et al., LoRA, arXiv 2106.09685; DoRA adds a length for each row.

    Raises:
        UsageProblem: a target is no linear layer of the model.
    """
    return shape.layers * sum(
        settings.rank * (rows + columns) + (rows if settings.kind == "dora" else 0)
        for rows, columns in _targets(shape, settings)
    )


def _targets(shape: Shape, settings: Adapter) -> Iterator[tuple[int, int]]:
    if settings.targets == "all":
        yield from shape.matrices.values()
        return
    for name in settings.targets.split(","):
        if name.strip() not in shape.matrices:
            raise UsageProblem(
                f"adapter.targets={settings.targets}: there is no {name.strip()!r}; there are: "
                f"{', '.join(shape.matrices)}",
                hint="--set adapter.targets=all",
            )
        yield shape.matrices[name.strip()]


def of(settings: Settings) -> Shape | None:
    """The shape of the model that a run makes, tunes or scores; None: nothing here knows it."""
    if settings.chain == "scratch":
        return scratch(settings)
    path = _config(settings.student)
    if path is not None:
        return read(path)
    return KNOWN.get(settings.student.model)


def scratch(settings: Settings) -> Shape:
    """The model that the chain `scratch` makes."""
    model = settings.model
    return Shape(
        model.width, model.layers, model.heads, model.kv_heads, model.feed_forward,
        settings.tokenizer.vocabulary, model.width // max(model.heads, 1), tied=True,
        source="the settings",
    )  # fmt: skip


def read(path: Path) -> Shape:
    """The shape that a `config.json` describes.

    Raises:
        DataProblem: it is no such file.
    """
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        return Shape(
            width, int(config["num_hidden_layers"]), heads,
            int(config.get("num_key_value_heads") or heads), int(config["intermediate_size"]),
            int(config["vocab_size"]), int(config.get("head_dim") or width // heads),
            tied=bool(config.get("tie_word_embeddings", False)),
            biased=config.get("model_type") == "qwen2" or bool(config.get("attention_bias")),
            source=str(path),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, AttributeError) as error:
        raise DataProblem(
            f"{path} does not describe a model of the Llama family: "
            f"{type(error).__name__}: {error}",
            hint="student.model names a model on the hub, or a folder with config.json, "
            "tokenizer.json and safetensors",
        ) from error


def _config(student: Student) -> Path | None:
    """The model's `config.json`, where it is on this machine."""
    folder = Path(student.model).expanduser()
    if student.model and folder.is_dir():
        return folder / _CONFIG
    try:
        hub = import_module("huggingface_hub")
        # Looks into the cache and asks nobody.
        found = hub.try_to_load_from_cache(
            student.model, _CONFIG, revision=student.revision or None
        )
    except (ImportError, ValueError):  # not installed; or a name that no model can have
        return None
    return Path(found) if isinstance(found, str) else None


_PUBLISHED = "its published config.json, kept in a table here"
_LLAMA_8B = Shape(
    4096, 32, 32, 8, 14336, 128_256, 128, tied=False, source=_PUBLISHED,
)  # fmt: skip
_QWEN_1B = Shape(
    1536, 28, 12, 2, 8960, 151_936, 128, tied=True, biased=True, source=_PUBLISHED,
)  # fmt: skip

KNOWN = {
    "meta-llama/Llama-3.1-8B": _LLAMA_8B,
    "meta-llama/Llama-3.1-8B-Instruct": _LLAMA_8B,
    "Qwen/Qwen2.5-Coder-1.5B": _QWEN_1B,
    "Qwen/Qwen2.5-Coder-1.5B-Instruct": _QWEN_1B,
}
"""Models that can be planned for before they are downloaded."""
