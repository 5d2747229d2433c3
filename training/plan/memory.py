"""What tuning holds in memory at once, part by part."""

from __future__ import annotations

from training.plan.corpus import Corpus
from training.plan.shapes import Shape, trainable
from training.settings import Settings

Part = tuple[str, float, str]
"""(what, bytes, formula)."""

LOGIT_CHUNK = 1024
"""Places that go through the head together, as in `training.losses.token`."""
ENCODER_WEIGHTS = 124_055_040
"""Of CodeBERT and its relatives, without the pooler."""
ENCODER_WIDTH, ENCODER_LAYERS = 768, 12
_WEIGHT_BYTES = {"float32": 4.0, "bfloat16": 2.0}
NF4_BYTES = 0.516
"""Four bits, and an eighth of a bit for the scales, which are quantised themselves."""
_LIBRARIES = 0.6e9
"""What CUDA and its libraries take on the card."""


def parts(settings: Settings, shape: Shape, corpus: Corpus) -> list[Part]:
    """Everything on the card (on a machine without one: in its own memory) while tuning."""
    found = [_weights(settings, shape), _adapter(settings, shape)]
    found += [_activations(settings, shape), _logits(settings, shape)]
    found += _structural(settings, shape, corpus)
    return [*found, ("libraries", _LIBRARIES, "CUDA, about")]


def weight_bytes(settings: Settings, shape: Shape) -> float:
    """Bytes of the frozen weights."""
    if settings.student.weights == "nf4":
        return NF4_BYTES * shape.linear + 2 * (shape.parameters - shape.linear)
    return _WEIGHT_BYTES[settings.student.weights] * shape.parameters


def _weights(settings: Settings, shape: Shape) -> Part:
    kind = settings.student.weights
    if kind == "nf4":
        formula = (
            f"{NF4_BYTES} bytes x {shape.linear:,} of the linear layers (QLoRA) "
            f"+ 2 x {shape.parameters - shape.linear:,} others"
        )
    else:
        formula = f"{_WEIGHT_BYTES[kind]:g} bytes x {shape.parameters:,} in {kind}"
    return "frozen weights", weight_bytes(settings, shape), formula


def _adapter(settings: Settings, shape: Shape) -> Part:
    count = trainable(shape, settings.adapter)
    return "adapter", 16.0 * count, f"16 bytes x {count:,}: weight, gradient, two moments, float32"


def _activations(settings: Settings, shape: Shape) -> Part:
    """What the backward pass needs of the forward one.

    Of a block whose matrices are frozen: the inputs of both norms in float32, a copy of what goes
    into each adapter, queries, keys, values, the attention's output, three products of the
    feed-forward part. What torch keeps for small models is within 5% of it (a test measures).
    """
    value = 4 if settings.student.weights == "float32" else 2
    keys = shape.kv_heads * shape.head
    layer = value * (12 * shape.width + 2 * keys + 4 * shape.feed_forward)
    tokens = settings.adapter.batch_tokens
    block = f"{value} bytes x (12 width + 2 keys + 4 feed-forward) = {layer:,} a token"
    if settings.adapter.recompute:
        held = value * shape.width * shape.layers + layer
        formula = (
            f"{tokens:,} tokens x ({value} x {shape.width:,} for each of {shape.layers} layers + "
            f"one layer at a time of {block})"
        )
        return "activations", float(tokens * held), formula
    formula = f"{tokens:,} tokens x {shape.layers} layers x {block}"
    return "activations", float(tokens * shape.layers * layer), formula


def _logits(settings: Settings, shape: Shape) -> Part:
    chunk = LOGIT_CHUNK * shape.vocabulary * 8
    states = settings.adapter.batch_tokens * shape.width * 12
    formula = (
        f"{LOGIT_CHUNK:,} places x {shape.vocabulary:,} tokens x 8 bytes (never all logits) + "
        "the last state and its two gradients, 12 bytes x width a token"
    )
    return "logits", float(chunk + states), formula


def _structural(settings: Settings, shape: Shape, corpus: Corpus) -> list[Part]:
    """The encoder behind L_s, the matrix between both vocabularies, and what a step adds."""
    loss = settings.structural
    if loss.arm in ("off", "student-encoder"):
        return []
    if loss.encoder == "own":
        width, layers = settings.encoder.width, settings.encoder.layers
        weights = shape.vocabulary * width + layers * 12 * width * width
    else:
        width, layers, weights = ENCODER_WIDTH, ENCODER_LAYERS, ENCODER_WEIGHTS
    matrix = shape.vocabulary * width
    found: list[Part] = [
        ("encoder", 4.0 * weights, f"4 bytes x {weights:,}, frozen"),
        ("matrix M", 4.0 * matrix, f"4 bytes x {shape.vocabulary:,} tokens x {width}"),
    ]
    if loss.arm in ("placebo", "projection"):
        return found
    programs = max(1, settings.adapter.batch_tokens // max(corpus.tokens, 1))
    pieces = programs * (loss.window or 510)
    code = programs * 350
    step = pieces * layers * 10 * width * 4 + code * (loss.top_k or shape.vocabulary) * width * 4
    formula = (
        f"{programs} programs of {loss.window or 510} pieces x {layers} layers x 10 x {width} x "
        f"4 bytes + {code:,} places of code x {loss.top_k or shape.vocabulary} rows of M"
    )
    return [*found, ("a step of L_s", float(step), formula)]
