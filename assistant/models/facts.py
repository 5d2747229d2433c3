"""What is told of the models on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.models.places import Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A model file and the shortest name that resolves to it."""

    name: str
    path: Path
    size: int
    """Bytes of the file, or of all parts of a split one."""
    place: Place
    adapter: bool = False
    """It is an adapter, which is named behind a model: `NAME+ADAPTER`."""


@dataclass(frozen=True, slots=True)
class Info:
    """What a model file says of itself."""

    name: str
    path: Path
    size: int
    title: str
    architecture: str
    parameters: int
    context_length: int | None
    vocabulary_size: int
    format_name: str | None
    """Set for models that were trained here."""
    format_version: int | None
    chat: bool
    """It carries a chat template, so it can be asked."""
    tensor_types: tuple[str, ...]
    """Types of the weights, the most frequent first."""
    place: Place
    fill_lacks: tuple[str, ...]
    """Tokens for filling in between two texts that it has not; () when it can."""
    cache_bytes: int
    """Memory of the cache for one token."""
    memory_bytes: int
    """Memory of it all, with the context that it is loaded with where the settings say nothing."""
    warning: str = ""
    """What may go wrong with it."""
    adapter: Path | None = None
    """The adapter that is attached to it."""
    is_adapter: bool = False
    """It is an adapter itself, and no model."""

    @property
    def fill(self) -> bool:
        """It can complete between two texts."""
        return not self.fill_lacks
