"""How much memory a model takes, and whether that is too much, before anything is loaded.

The estimate adds the weights, the cache of keys and values for the whole context, and the buffers
that a decode call computes in. It reads the header only. Sliding windows are counted in full, so it
errs on the side of too much.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelProblem
from assistant.models import names
from assistant.models.gguf import Array, Header
from assistant.models.machine import available_bytes as available_bytes
from assistant.models.machine import budget_bytes as budget_bytes
from assistant.models.machine import total_bytes as total_bytes

CACHE_BYTES = 2
"""Of one number in the cache: f16."""
BATCH_ROWS = 512
"""Tokens that one decode call computes at most."""
LEAST_COMPUTE, MOST_COMPUTE = 16 << 20, 1 << 30
DEFAULT_CONTEXT = 8192
"""Tokens, of a model that was made for more, where the settings do not say."""
LEAST_CONTEXT = 32
SHARED_CACHE_BYTES = 256 << 20
"""The memory of a small model is made larger than one context, up to this, so that the requests
of several clients stay in it side by side."""
MOST_CONTEXTS = 8
STATES = 8
"""Sequences of a recurrent model, each with a state of its own, whether it is used or not."""
_STATE_BYTES = 4
"""Of one number in a state: f32."""
SHORT_CONTEXT = 1024
"""A shorter context than this helps nobody."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes that a model takes."""

    weights: int
    cache: int
    """Keys and values of the whole context, and the states of layers that keep one."""
    compute: int
    """Buffers of one decode call."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.compute


def estimate(header: Header, tokens: int, adapter: int = 0) -> Estimate:
    """What a model takes with a context of `tokens`.

    Args:
        header: of its file; of the first part when it is split, the others lying beside it.
        tokens: of all sequences together.
        adapter: bytes of an adapter.
    """
    cache = tokens * cache_bytes(header) + states_bytes(header)
    return Estimate(weights_bytes(header) + adapter, cache, _compute(header, tokens))


def context_tokens(header: Header, configured: int = 0) -> int:
    """Tokens of the context that a model is loaded with: the setting, or 8192, and never more than
    it was made for.
    """
    wanted = configured or DEFAULT_CONTEXT
    return max(LEAST_CONTEXT, min(wanted, header.context_length or wanted))


def cells(header: Header, tokens: int, spare: int | None = None) -> int:
    """Tokens that the memory of all sequences together shall hold.

    Args:
        header: of the model; not for one with states, which can not share.
        tokens: of one context.
        spare: bytes that may be used beyond it; None: not known.
    """
    each = max(1, cache_bytes(header))
    more = min(SHARED_CACHE_BYTES // each, tokens * MOST_CONTEXTS) - tokens
    return tokens + max(0, more if spare is None else min(more, spare // each))


def weights_bytes(header: Header) -> int:
    """The size of the model's files, all parts together."""
    total = 0
    for name in names.parts_of(header.path.name):
        path = header.path.with_name(name)
        total += header.file_size if path == header.path else _size(path)
    return total


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def cache_bytes(header: Header) -> int:
    """Bytes of the cache for one token: keys and values of every layer that attends."""
    layers = _bounded(header, "block_count", 0)
    width, heads = _bounded(header, "embedding_length", 0), _per_layer(header, "head_count", layers)
    most = max(heads, default=0)
    if not most:
        return 0
    shared = _per_layer(header, "head_count_kv", layers) or heads
    each = width // most
    both = _bounded(header, "attention.key_length", each)
    both += _bounded(header, "attention.value_length", each)
    # Of a hybrid model only every n-th layer attends; the others keep a state of fixed size.
    every = max(1, _bounded(header, "full_attention_interval", 1))
    return sum(shared[every - 1 :: every]) * both * CACHE_BYTES


def states_bytes(header: Header) -> int:
    """Bytes of the states of recurrent layers, of all sequences; 0 for a model that has none."""
    inner, size = _bounded(header, "ssm.inner_size", 0), _bounded(header, "ssm.state_size", 0)
    convolved = max(0, _bounded(header, "ssm.conv_kernel", 1) - 1)
    groups = _bounded(header, "ssm.group_count", 0)
    layers = _bounded(header, "block_count", 0)
    every = _bounded(header, "full_attention_interval", 0)
    keys = _per_layer(header, "head_count_kv", layers)
    attending = layers // every if every else sum(1 for one in keys if one)
    state = size * inner + convolved * (inner + 2 * groups * size)
    return STATES * max(0, layers - attending) * state * _STATE_BYTES


def _bounded(header: Header, key: str, default: int) -> int:
    """A number of the header that is no nonsense."""
    value = header.integer(f"{header.architecture}.{key}")
    return value if value is not None and 0 <= value < 1 << 31 else default


def _per_layer(header: Header, key: str, layers: int) -> list[int]:
    """A count of heads for each layer: one for all, or a list."""
    value = header.metadata.get(f"{header.architecture}.attention.{key}")
    if isinstance(value, Array):
        return [one for one in value.values if isinstance(one, int) and one >= 0][:layers]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return [value] * min(layers, 10_000)
    return []


def _compute(header: Header, tokens: int) -> int:
    """Logits and the widest intermediate results of a batch in f32, and its mask in f16.

    Measured at the shape of Llama-3.2-1B with 8,192 tokens: 271 MB, of which 263 MB are logits;
    this says 347 MB. Scores are not counted: flash attention does not store them.
    """
    width = _bounded(header, "embedding_length", 0)
    wide = 3 * _bounded(header, "feed_forward_length", 0) + 6 * width + header.vocabulary_size
    rows = min(BATCH_ROWS, max(tokens, 1))
    return min(max(rows * (4 * wide + 2 * tokens), LEAST_COMPUTE), MOST_COMPUTE)


def check_fits(header: Header, tokens: int, available: int | None, adapter: int = 0) -> Estimate:
    """Refuse to load what there is no memory for.

    Args:
        header: of the model.
        tokens: of the context.
        available: bytes that it may take (`available_bytes`, `budget_bytes`); None: not known.
        adapter: bytes of an adapter.

    Returns:
        What it takes.

    Raises:
        ModelProblem: it takes more; the message has the numbers and says what would do.
    """
    needed = estimate(header, tokens, adapter)
    if available is None or needed.total <= available:
        return needed
    raise ModelProblem(
        f"{header.path.name} needs {_gb(needed.total)} of memory (weights {_gb(needed.weights)}, "
        f"cache of {tokens} tokens {_gb(needed.cache)}, buffers {_gb(needed.compute)}), and "
        f"{_gb(available)} may be used.",
        hint=_way_out(header, tokens, max(0, available - adapter)),
    )


def _way_out(header: Header, tokens: int, available: int) -> str:
    shorter = longest_context(header, available)
    less = "a smaller quantisation (Q4_K_M, Q3_K_M) or a smaller model: assistant models list"
    if SHORT_CONTEXT <= shorter < tokens:
        return (
            f"A context of {shorter} tokens would fit: set daemon.context_length = {shorter}. "
            f"Otherwise end other programs, or choose {less}"
        )
    return f"End other programs, or choose {less}"


def longest_context(header: Header, available: int) -> int:
    """The most tokens that fit, in steps of 256; 0 when not even the weights do."""
    low, high = 0, 1 << 13
    while low < high:
        middle = (low + high + 1) // 2
        if estimate(header, middle * 256).total <= available:
            low = middle
        else:
            high = middle - 1
    return low * 256


def _gb(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
