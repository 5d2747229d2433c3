"""Every setting of a training run, one dataclass a stage, in the order of the stages.

A recipe (`training/recipes/`) gives values; `--set base.tokens=100000` replaces one. What a
recipe leaves out has the default written here.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problems:
    """The problem set with its tests."""

    count: int = 2000
    """How many problems are made, evaluation included."""


@dataclass(frozen=True)
class Contexts:
    """The reasoning that a teacher writes for each problem."""

    teacher: str = "program"
    """`program` writes from a problem's own construction; a URL is an OpenAI-compatible endpoint
    behind which a large model answers."""
    teacher_model: str = ""
    """The model to ask for at the endpoint."""


@dataclass(frozen=True)
class Tokenizer:
    """The byte-level tokenizer."""

    vocabulary: int = 2048
    """Number of tokens, special ones included; a multiple of 32."""
    sample: int = 20000
    """Problems whose texts it is made from."""


@dataclass(frozen=True)
class Architecture:
    """Shape of the model: Llama with tied embeddings."""

    width: int = 256
    """Size of a hidden state; a multiple of 32."""
    layers: int = 6
    heads: int = 4
    """Attention heads; width / heads is the size of one."""
    kv_heads: int = 2
    """Heads that keys and values have; several query heads share one."""
    feed_forward: int = 704
    """Width of the gated feed-forward part; a multiple of 32."""
    context: int = 1024
    """Longest text in tokens, request and answer together."""
    rope_base: float = 10000.0
    """Base of the rotary position frequencies."""


@dataclass(frozen=True)
class Base:
    """Making the base model from scratch: next-token loss on several kinds of documents."""

    tokens: int = 8_000_000
    """How many tokens are trained on, padding included. The budget is tokens, never time."""
    batch_tokens: int = 8192
    """Tokens in one step, padding included."""
    reasoning_share: float = 0.55
    """Share of tokens in documents that answer a request with reasoning and then code."""
    direct_share: float = 0.25
    """Share of tokens in documents that answer a request with code alone."""
    fim_share: float = 0.15
    """Share of tokens in code whose middle is to be filled in; the rest is plain code."""
    prompt_weight: float = 0.2
    """Weight of the user's words in the loss; what the assistant writes has weight 1."""
    matrix_lr: float = 0.02
    """Learning rate of Muon, for matrices."""
    other_lr: float = 0.004
    """Learning rate of AdamW, for embeddings and norms."""
    weight_decay: float = 0.01
    """Of the matrices."""
    warmup_share: float = 0.02
    """Share of the steps in which the learning rate rises."""
    decay_share: float = 0.4
    """Share of the steps, the last ones, in which the learning rate falls to zero."""
    checkpoint_every: int = 100
    """Steps between two checkpoints."""


@dataclass(frozen=True)
class Encoder:
    """The small code encoder that the structural loss compares with."""

    width: int = 128
    layers: int = 2
    heads: int = 4
    steps: int = 400
    batch: int = 48
    """Programs in one step; each comes with a renamed and a mutated form."""
    max_tokens: int = 256
    """Longer programs are cut here."""
    lr: float = 0.001
    temperature: float = 0.1
    """Of the contrastive softmax: smaller is stricter."""
    checkpoint_every: int = 100


@dataclass(frozen=True)
class Adapter:
    """Fine-tuning with LoRA on reasoning and code: alpha * L_token + beta * L_s."""

    rank: int = 32
    alpha: int = 64
    """Scale of the adapter is alpha / rank. Not the alpha of the curriculum."""
    tokens: int = 2_000_000
    """How many tokens are trained on, padding included."""
    batch_tokens: int = 8192
    lr: float = 0.001
    """Highest learning rate of AdamW."""
    warmup_share: float = 0.03
    """Share of the steps in which the learning rate rises."""
    structural: str = "straight-through"
    """Form of the structural loss: `straight-through`, `soft`, `placebo` (compares decoded text,
    so it has no gradient: the control arm), or `none`."""
    top_k: int = 64
    """Most likely tokens at each place that take part in the soft choice; 0 takes all."""
    temperature: float = 1.0
    """Of the soft choice."""
    curriculum_warmup: float = 0.1
    """Share of the steps with the token loss alone."""
    alpha_end: float = 0.5
    """Weight of the token loss at the end; it starts at 1, and beta is 1 - alpha."""
    beta_scale: str = "auto"
    """`raw` leaves L_s as it is; `auto` scales it so that its gradient at the last hidden state is
    `beta_ratio` of the token loss's."""
    beta_ratio: float = 0.1
    scale_every: int = 20
    """Steps between two measurements of the gradient norms of both losses."""
    checkpoint_every: int = 50


@dataclass(frozen=True)
class Export:
    """The GGUF file."""

    type: str = "Q8_0"
    """F32, F16 or Q8_0: how matrices are stored."""
    name: str = "starter"
    """The model's name in the file."""
    verify_tokens: int = 400
    """Tokens on which the file is compared with the torch model."""
    max_kld: float = 0.02
    """Largest mean divergence (nats) of the file from the torch model, else the stage fails."""
    min_top1: float = 0.9
    """Smallest share of places with the same most likely token, else the stage fails."""


@dataclass(frozen=True)
class Evaluate:
    """Running the code that the GGUF model writes."""

    heldout: int = 300
    """Problems whose structure does not occur in the training data."""
    validation: int = 100
    """New problems of structures that do occur."""
    handwritten: bool = True
    """Requests in words that no template made."""
    mbpp: int = 500
    """Problems of MBPP's test split when its data is there (--data or ASSISTANT_DATA)."""
    max_new_tokens: int = 512
    examples: int = 8
    """Answers of each kind that the report shows in full, the first and the first failed ones."""
    workers: int = 2
    """Processes that run the tests side by side."""


@dataclass(frozen=True)
class Settings:
    """All settings of a run."""

    seed: int = 1
    """Of everything that is drawn by chance."""
    threads: int = 2
    """Processor threads. Sums depend on it: another number gives other last digits."""
    install: bool = False
    """Copy the model into the package, as the one that `assistant` answers with."""
    problems: Problems = field(default_factory=Problems)
    contexts: Contexts = field(default_factory=Contexts)
    tokenizer: Tokenizer = field(default_factory=Tokenizer)
    model: Architecture = field(default_factory=Architecture)
    base: Base = field(default_factory=Base)
    encoder: Encoder = field(default_factory=Encoder)
    adapter: Adapter = field(default_factory=Adapter)
    export: Export = field(default_factory=Export)
    evaluate: Evaluate = field(default_factory=Evaluate)


@dataclass(frozen=True)
class Recipe:
    """Named settings; one file each in `training/recipes/`."""

    name: str
    summary: str
    settings: Settings
