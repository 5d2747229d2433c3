"""The models that are measured, written into the cache the first time they are needed."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

import assistant
from tests.bench.serving import copying, shapes, vocabulary
from tests.bench.serving.peer import Peer

EMBEDDED = Path(assistant.__file__).parent / "models" / "starter.gguf"
NAMES = ("starter", "1b", "8b", "copying")
_TEMPLATE = "meta-llama-Llama-3.1-8B-Instruct.jinja"
_ENDS = ("<|im_end|>", "<|endoftext|>")


@dataclass(frozen=True)
class Model:
    """A model file, and how it is measured."""

    name: str
    path: Path
    threads: int
    depths: tuple[int, ...]
    """Tokens in the cache before the measured ones."""
    tokens: int
    """Generated in one measurement."""
    bos: int
    """Tokens that are put in front of every prompt."""
    split: int = 1
    """Each round of decoding is done as this many shorter ones, so that a spell in which the
    machine is slow spoils few of them."""

    @property
    def big(self) -> bool:
        """Whether computing, not talking, is what takes its time."""
        return self.name != "starter"

    def prompts(self, seed: int) -> vocabulary.Prompts:
        """Prompts that nobody sent before, in words of this model."""
        return vocabulary.Prompts(vocabulary.read(self.path).words(), seed)


@dataclass(frozen=True)
class Models:
    """Finds models, and makes them.

    Args:
        folder: where they are kept.
        peer: has the vocabulary and the chat template.
        threads: for the big ones; the embedded model has one, as the daemon gives it.
    """

    folder: Path
    peer: Peer
    threads: int

    def get(self, name: str) -> Model:
        """A model by its name; written now if it is not there."""
        if name == "starter":
            path = self._made("starter-endless.gguf", _write_endless)
            return Model(name, path, 1, (64, 512), 256, 0)
        shape = {"1b": shapes.ONE_B, "8b": shapes.EIGHT_B, "copying": copying.SHAPE}[name]
        path = self._made(f"{shape.name}.gguf", functools.partial(self._write, shape))
        if name == "8b":
            return Model(name, path, self.threads, (64, 1024), 48, 1, split=3)
        return Model(name, path, self.threads, (64, 1024), 96, 1)

    def _made(self, name: str, write: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.is_file():
            print(f"writing {path}", flush=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            write(path)
        return path

    def _write(self, shape: shapes.Shape, path: Path) -> None:
        source = self.peer.source / "models"
        llama3 = source / "ggml-vocab-llama-bpe.gguf"
        template = (source / "templates" / _TEMPLATE).read_text()
        if shape is copying.SHAPE:
            copying.write(path, llama3, template)
        else:
            shapes.write(path, shape, llama3, template)


def _write_endless(path: Path) -> None:
    """The embedded model, with its ends renamed so that they end nothing.

    It has the same weights and says the same, but a measurement gets all its tokens.
    """
    partial = path.with_suffix(".part")
    shutil.copyfile(EMBEDDED, partial)
    reader = gguf.GGUFReader(partial, "r+")
    tokens = reader.fields["tokenizer.ggml.tokens"]
    kinds = reader.fields["tokenizer.ggml.token_type"]
    names = [str(token) for token in tokens.contents()]
    for end in _ENDS:
        number = names.index(end)
        plain = f"[{end[1:-1]}]".encode()
        tokens.parts[tokens.data[number]][:] = np.frombuffer(plain, np.uint8)
        kinds.parts[kinds.data[number]][0] = gguf.TokenType.NORMAL
    for role in ("eos", "eot"):
        field = reader.fields[f"tokenizer.ggml.{role}_token_id"]
        field.parts[field.data[0]][0] = names.index("<|fim_prefix|>")
    del reader, tokens, kinds, field
    partial.replace(path)
