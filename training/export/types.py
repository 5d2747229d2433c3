"""How matrices are stored in a file, how large that makes them, and what it costs.

Some types are written here directly, through the `gguf` package; the others are made by
llama.cpp's own quantiser from a file in float16.
"""

from __future__ import annotations

from dataclasses import dataclass

import gguf
from gguf import GGMLQuantizationType as Kind
from gguf import LlamaFileType as FileType

from assistant.errors import UsageProblem

DIVERGENCE_SOURCE = "Llama 3 8B on wikitext-2, as llama.cpp measured it (tools/perplexity)"


@dataclass(frozen=True)
class Type:
    """One way to store a model's matrices.

    Attributes:
        name: as in `--type`.
        file_type: its number in a file.
        kind: of the matrices, where it is written here; None: llama.cpp's quantiser makes it.
        divergence: what is to be expected (mean Kullback-Leibler divergence, nats); None: nobody
            measured it.
    """

    name: str
    file_type: FileType
    kind: Kind | None = None
    divergence: float | None = None

    @property
    def direct(self) -> bool:
        """Whether it is written here."""
        return self.kind is not None


_DIRECT = (
    Type("F32", FileType.ALL_F32, Kind.F32, 0.0),
    Type("F16", FileType.MOSTLY_F16, Kind.F16, 0.00055),
    Type("BF16", FileType.MOSTLY_BF16, Kind.BF16, 0.00057),
    Type("Q8_0", FileType.MOSTLY_Q8_0, Kind.Q8_0, 0.00136),
    Type("Q5_1", FileType.MOSTLY_Q5_1, Kind.Q5_1),
    Type("Q5_0", FileType.MOSTLY_Q5_0, Kind.Q5_0),
    Type("Q4_1", FileType.MOSTLY_Q4_1, Kind.Q4_1),
    Type("Q4_0", FileType.MOSTLY_Q4_0, Kind.Q4_0, 0.0719),
    Type("TQ2_0", FileType.MOSTLY_TQ2_0, Kind.TQ2_0),
    Type("TQ1_0", FileType.MOSTLY_TQ1_0, Kind.TQ1_0),
)
_BY_LLAMA_CPP = (
    Type("Q6_K", FileType.MOSTLY_Q6_K, None, 0.00545),
    Type("Q5_K_M", FileType.MOSTLY_Q5_K_M, None, 0.0108),
    Type("Q5_K_S", FileType.MOSTLY_Q5_K_S),
    Type("Q4_K_M", FileType.MOSTLY_Q4_K_M, None, 0.0313),
    Type("Q4_K_S", FileType.MOSTLY_Q4_K_S),
    Type("Q3_K_L", FileType.MOSTLY_Q3_K_L),
    Type("Q3_K_M", FileType.MOSTLY_Q3_K_M),
    Type("Q3_K_S", FileType.MOSTLY_Q3_K_S),
    Type("Q2_K", FileType.MOSTLY_Q2_K, None, 0.445),
    Type("IQ4_NL", FileType.MOSTLY_IQ4_NL),
    Type("IQ4_XS", FileType.MOSTLY_IQ4_XS),
    Type("IQ3_M", FileType.MOSTLY_IQ3_M),
    Type("IQ2_M", FileType.MOSTLY_IQ2_M),
)
TYPES = {one.name: one for one in (*_DIRECT, *_BY_LLAMA_CPP)}
INTERMEDIATE = TYPES["F16"]
"""What the quantiser reads."""


def find(name: str) -> Type:
    """The type of a name, in any case of letters.

    Raises:
        UsageProblem: there is none.
    """
    found = TYPES.get(name.upper())
    if found is None:
        direct = ", ".join(one.name for one in _DIRECT)
        others = ", ".join(one.name for one in _BY_LLAMA_CPP)
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
