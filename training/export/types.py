"""How matrices are stored in a file, how large that makes them, and what it costs.

Some types are written here directly, through the `gguf` package; the others are made by
llama.cpp's own quantiser from a file in float16.
"""

from __future__ import annotations

from dataclasses import dataclass

import gguf
from gguf import GGMLQuantizationType as Kind
from gguf import LlamaFileType as FileType

from assistant.engine.quantiser_types import TYPES as QUANTISED
from assistant.errors import UsageProblem

DIVERGENCE: dict[str, float] = {
    "F32": 0.0, "F16": 0.00055, "Q8_0": 0.00136, "Q6_K": 0.00545, "Q5_K_M": 0.0108,
    "Q4_K_M": 0.0313, "Q4_0": 0.0719, "Q2_K": 0.445,
}  # fmt: skip
"""What is to be expected: mean Kullback-Leibler divergence from float16, nats. Llama 3 8B on
wikitext-2 as llama.cpp has measured it (its tools/perplexity); float16 is the noise of that."""


@dataclass(frozen=True)
class Type:
    """One way to store a model's matrices.

    Attributes:
        name: as in `--type`.
        kind: of the matrices, where it is written here; None: llama.cpp's quantiser makes it.
        file_type: its number in a file, where it is written here.
        needs_text: the quantiser refuses without a text that says what matters.
    """

    name: str
    kind: Kind | None = None
    file_type: FileType = FileType.GUESSED
    needs_text: bool = False

    @property
    def direct(self) -> bool:
        """Whether it is written here."""
        return self.kind is not None


_DIRECT = (
    Type("F32", Kind.F32, FileType.ALL_F32),
    Type("F16", Kind.F16, FileType.MOSTLY_F16),
    Type("BF16", Kind.BF16, FileType.MOSTLY_BF16),
    Type("Q8_0", Kind.Q8_0, FileType.MOSTLY_Q8_0),
    Type("Q5_1", Kind.Q5_1, FileType.MOSTLY_Q5_1),
    Type("Q5_0", Kind.Q5_0, FileType.MOSTLY_Q5_0),
    Type("Q4_1", Kind.Q4_1, FileType.MOSTLY_Q4_1),
    Type("Q4_0", Kind.Q4_0, FileType.MOSTLY_Q4_0),
    Type("TQ2_0", Kind.TQ2_0, FileType.MOSTLY_TQ2_0),
    Type("TQ1_0", Kind.TQ1_0, FileType.MOSTLY_TQ1_0),
)
TYPES = {one.name: one for one in _DIRECT}
TYPES |= {
    name: Type(name, needs_text=one.needs_importance)
    for name, one in QUANTISED.items()
    if name not in TYPES
}
INTERMEDIATE = TYPES["F16"]
"""What the quantiser reads."""


def find(name: str) -> Type:
    """The type of a name, in any case of letters.

    Raises:
        UsageProblem: there is none.
    """
    found = TYPES.get(name.upper())
    if found is None:
        direct = ", ".join(one.name for one in TYPES.values() if one.direct)
        others = ", ".join(one.name for one in TYPES.values() if not one.direct)
        raise UsageProblem(
            f"there is no type {name!r}",
            hint=f"written directly: {direct}; by llama.cpp's quantiser: {others}",
        )
    return found


def stored(shape: tuple[int, ...], wanted: Kind) -> Kind:
    """Norms and biases stay float32; a matrix whose rows do not divide into blocks is float16."""
    if len(shape) == 1:
        return Kind.F32
    block = gguf.GGML_QUANT_SIZES[wanted][0]
    return Kind.F16 if shape[-1] % block else wanted


def stored_bytes(shape: tuple[int, ...], kind: Kind) -> int:
    """Bytes of a tensor of `shape`."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    count = 1
    for one in shape:
        count *= one
    return count // block * size
