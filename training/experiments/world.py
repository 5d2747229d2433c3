"""Sets on the world that the embedded model comes from: two processor cores, no network.

All begin with a model of 1.5 million parameters whose base is trained once; an arm is a LoRA
adapter of 300,000 tokens on it. So an arm is cheap enough to be run with several seeds, and what
a set shows is true of such models.
"""

from __future__ import annotations

from dataclasses import replace

from training.experiments.sets import Arm, ExperimentSet

_SMALL = (
    "threads=1",
    "install=false",
    "problems.count=20000",
    # 1.5 million parameters; heads of 32.
    "model.width=160",
    "model.layers=4",
    "model.heads=5",
    "model.kv_heads=1",
    "model.feed_forward=480",
    "base.tokens=8000000",
    "base.batch_tokens=2048",
    "adapter.rank=16",
    "adapter.alpha=32",
    "adapter.tokens=300000",
    "adapter.batch_tokens=2048",
    "export.name=experiment",
    "export.verify_tokens=200",
    "evaluate.heldout=300",
    "evaluate.validation=300",
    "evaluate.handwritten=false",
    "evaluate.mbpp=0",
    "evaluate.max_new_tokens=384",
    "evaluate.workers=1",
)
_OFF = "structural.arm=off"
_UNTUNED = Arm(
    "untuned",
    "the base as it is: what does any tuning bring?",
    # One step at rate 0: an adapter that changes nothing, through the same stages as all others.
    (_OFF, "adapter.tokens=1", "adapter.lr=0"),
    fixed=True,
)
_TOKEN = Arm("token-loss", "the reference: the token loss alone", (_OFF,))
_REAL = Arm(
    "straight-through",
    "the default L_s: mixture backward, most likely token forward, anchored",
    ("structural.arm=straight-through",),
)


def _with(name: str, asks: str) -> Arm:
    return Arm(name, asks, (f"structural.arm={name}",))


ARMS = ExperimentSet(
    name="world-arms",
    summary="does L_s help, and in which form?",
    recipe="starter",
    changes=_SMALL,
    reference=_TOKEN.name,
    arms=(
        _UNTUNED,
        _TOKEN,
        _with("placebo", "L_s read literally, of decoded text: no gradient, the control"),
        _with("soft", "L_s by the mixture of embeddings, anchored at the reference"),
        _REAL,
        _with("unanchored", "mixtures alone: does the anchor matter?"),
        _with("policy-gradient", "drawn tokens, nearness as the reward"),
        _with("projection", "the state behind the reasoning foretells the code's vector"),
        _with("student-encoder", "the model's own first layers compare: is it the encoder?"),
        Arm("code-only", "the same tokens spent on code without reasoning",
            (_OFF, "adapter.answer=code")),
    ),
)  # fmt: skip

_FEW_EXPLAINED = ("base.reasoning_share=0.02", "base.direct_share=0.6", "adapter.tokens=600000")


def _taught(way: str, asks: str) -> Arm:
    return Arm(way, asks, (_OFF,), reasoning=way)


TEACHERS = ExperimentSet(
    name="teachers",
    summary="how much does the quality of the reasoning matter?",
    recipe="starter",
    # A base that has read much code and hardly any reasoning: the adapter has to teach it.
    changes=(*_SMALL, *_FEW_EXPLAINED),
    reference="whole",
    arms=(
        Arm("whole", "the reference: the program's reasoning as it is", (_OFF,)),
        _taught("steps-shuffled", "the same steps in another order: is it the order?"),
        _taught("steps-halved", "every second step is missing: omissions"),
        _taught("intent-only", "the intent, with empty sections after it: are steps needed?"),
        _taught("third-wrong", "a third of the problems explained by another's reasoning: errors"),
        _taught("all-wrong", "every problem explained by another's: right form, wrong content"),
        _taught("template", "the same sentences for every problem: only the form, only tokens"),
        Arm("code-only", "no reasoning at all", (_OFF, "adapter.answer=code")),
    ),
    notes=(
        "2% of the base's tokens are problems with whole reasoning, so that the base knows the "
        "form; the adapter has 600,000 tokens. All arms have the same number of tokens: those "
        "with shorter reasoning see more problems.",
    ),
)

ENCODERS = ExperimentSet(
    name="encoders",
    summary="does it matter what L_s compares with?",
    recipe="starter",
    changes=_SMALL,
    reference="own",
    arms=(
        Arm("own", "the reference: the small encoder, trained to tell programs apart"),
        # Rate 0 for as many steps as its mean takes programs: the same encoder, not trained.
        Arm("own-untrained", "the same encoder with its first, random weights: is it knowledge?",
            ("encoder.lr=0", "encoder.steps=42")),
        Arm("student-encoder", "the model's own first layers", ("structural.arm=student-encoder",)),
        Arm("none", "no L_s", (_OFF,)),
    ),
)  # fmt: skip

_SIZES = (175, 350, 700, 1400)

DATA_SIZE = ExperimentSet(
    name="data-size",
    summary="is it examples that are missing, or steps?",
    recipe="starter",
    changes=(*_SMALL, "structural.arm=straight-through"),
    reference=f"examples-{_SIZES[-1]}",
    arms=tuple(
        Arm(
            f"examples-{size}",
            f"1/{_SIZES[-1] // size} of the examples" if size < _SIZES[-1] else
            "the reference: as many examples as the tokens take once",
            (f"adapter.examples={size}",),
            size=size,
        )
        for size in _SIZES
    ),
    axis="examples",
    notes=(
        "All arms are trained on the same number of tokens: fewer examples are seen more often.",
    ),
)  # fmt: skip

CORRELATION = ExperimentSet(
    name="correlation",
    summary="do programs that L_s calls near pass more tests?",
    recipe="starter",
    changes=_SMALL,
    reference=_TOKEN.name,
    arms=(_TOKEN, _REAL),
    samples=4,
    temperature=0.8,
    notes=(
        "Four answers to each question, drawn at temperature 0.8, each written freely: L_s here "
        "is the distance of a whole program from the reference, not that of the teacher-forced "
        "places that the loss sees.",
    ),
)

NANO = ExperimentSet(
    name="nano",
    summary="a test of the machinery in about 20 seconds; the models are useless",
    recipe="nano",
    changes=(
        "problems.count=160", "base.tokens=12000", "base.checkpoint_every=4", "encoder.steps=3",
        "adapter.tokens=9000", "adapter.batch_tokens=2048", "adapter.checkpoint_every=2",
        "evaluate.heldout=4", "evaluate.validation=3", "evaluate.max_new_tokens=48",
        "export.verify_tokens=60", "export.max_kld=1", "export.min_top1=0",
    ),
    reference=_TOKEN.name,
    arms=(_TOKEN, replace(_REAL, asks="L_s, at a size where it can show nothing")),
    samples=2,
    temperature=0.8,
)  # fmt: skip

WORLD = (ARMS, TEACHERS, ENCODERS, DATA_SIZE, CORRELATION, NANO)
