"""The experiments that a reproduction of arXiv 2510.17598 asks for. A GPU, a network, a teacher.

The same code as the sets of the world, run by whoever has the machine: `--dry-run` says what one
costs. All begin with the recipe `paper-llama31-8b`; what the paper leaves open is set there, one
value for all arms, and so are the benchmarks that answers are judged on.
"""

from __future__ import annotations

from dataclasses import replace

from training.experiments.sets import Arm, ExperimentSet

_RECIPE = "paper-llama31-8b"
_NEEDS = "a GPU of 80 GB, a network, and a teacher's answers (contexts.teacher)"
_OFF = "structural.arm=off"
_UNTRAINED = "chain=untrained"
_SHARED = (
    "Merged weights and GGUF files are removed once the answers are judged; the adapters stay.",
)
_FULL = Arm("full", "as the paper says it: token loss and L_s, rank 32")
_TOKEN = Arm("token-loss", "reasoning and code, without L_s", (_OFF,))
_PLACEBO = Arm(
    "placebo", "L_s read literally: no gradient, the control", ("structural.arm=placebo",)
)


def _rank(rank: int) -> Arm:
    changes = (f"adapter.rank={rank}", f"adapter.alpha={2 * rank}")
    return Arm(f"full-r{rank}", f"the same with rank {rank}", changes)


GAIN = ExperimentSet(
    name="paper-gain",
    summary="is the paper's gain there, and what does it come from?",
    recipe=_RECIPE,
    reference="untrained-direct",
    arms=(
        Arm("untrained-direct", "the student as it is, asked for code",
            (_UNTRAINED, "evaluate.prompt=direct"), fixed=True),
        Arm("untrained-reasoning", "the student as it is, asked for reasoning first",
            (_UNTRAINED, "evaluate.prompt=reasoning"), fixed=True),
        Arm("code-only", "tuned on the code alone",
            (_OFF, "adapter.answer=code", "evaluate.prompt=direct")),
        # Each step is held against the one before it; the gain as a whole by the intervals.
        replace(_TOKEN, against="code-only"),
        *(replace(arm, against=_TOKEN.name) for arm in (_PLACEBO, _rank(16), _FULL, _rank(64))),
    ),
    needs=_NEEDS,
    keep_models=False,
    notes=_SHARED,
)  # fmt: skip

ABLATION = ExperimentSet(
    name="paper-ablation",
    summary="what of the gain is L_s?",
    recipe=_RECIPE,
    reference=_TOKEN.name,
    arms=(
        _TOKEN,
        _PLACEBO,
        Arm("soft", "L_s by the mixture, anchored", ("structural.arm=soft",)),
        Arm("anchored", "straight-through, anchored: the recipe's own",
            ("structural.arm=straight-through",)),
        Arm("anchored-scaled", "the same, its gradient held at a tenth of the token loss's",
            ("structural.arm=straight-through", "curriculum.beta_scale=auto")),
        Arm("anchored-scaled-centred", "that, and measured from the mean program",
            ("structural.arm=straight-through", "curriculum.beta_scale=auto",
             "structural.centring=mean")),
        Arm("unanchored", "mixtures alone", ("structural.arm=unanchored",)),
        Arm("random-encoder", "CodeBERT's shape with random weights: is it the knowledge?",
            ("structural.encoder=random",)),
        Arm("larger-rate", "no L_s, the learning rate times 1.5: what does a rate alone do?",
            (_OFF, "adapter.lr=0.0003")),
    ),
    needs=_NEEDS,
    keep_models=False,
    notes=_SHARED,
)  # fmt: skip

_TEMPLATES = (
    ("forward", "the reference: the teacher sees the problem alone"),
    ("backward", "it sees a correct solution, too"),
    ("forward-notes", "a second wording of the prompt"),
    ("backward-notes", "that wording, with a correct solution"),
    ("mathematics", "quantities and formulas first: the paper's first open question"),
    ("planner-writer", "two agents, one after the other: its second"),
    ("agents", "three agents: planner, critic, writer"),
)

TEACHERS = ExperimentSet(
    name="paper-teachers",
    summary="what must the teacher see and be asked?",
    recipe=_RECIPE,
    reference="forward",
    arms=(
        *(Arm(name, asks, (f"contexts.template={name}",)) for name, asks in _TEMPLATES),
        Arm("first-of-four", "the first of four samples at temperature 0.6: a control",
            ("contexts.samples=4", "contexts.temperature=0.6", "contexts.select=first")),
        Arm("passing", "of the same four the first that leads to code that passes the tests",
            ("contexts.samples=4", "contexts.temperature=0.6", "contexts.select=passing"),
            against="first-of-four"),
    ),
    needs=_NEEDS,
    keep_models=False,
    notes=(*_SHARED, "The arm `passing` leaves out the problems without such a sample."),
)  # fmt: skip

_ENCODERS = (
    ("codebert", "the reference: the paper's"),
    ("codebert-python", "CodeBERT trained on for a million steps of Python"),
    ("graphcodebert", "trained with data flow"),
    ("unixcoder", "trained to compare programs"),
    ("random", "CodeBERT's shape with random weights"),
)

ENCODERS = ExperimentSet(
    name="paper-encoders",
    summary="does it matter what L_s compares with?",
    recipe=_RECIPE,
    reference="codebert",
    arms=(
        *(Arm(name, asks, (f"structural.encoder={name}",)) for name, asks in _ENCODERS),
        Arm("student-encoder", "the student's own first layers, its adapter off",
            ("structural.arm=student-encoder",)),
    ),
    needs=_NEEDS,
    keep_models=False,
    notes=_SHARED,
)  # fmt: skip

_SIZES = (2295, 4590, 9180)

DATA_SIZE = ExperimentSet(
    name="paper-data-size",
    summary="how does the gain grow with the examples?",
    recipe=_RECIPE,
    reference="all",
    arms=(
        *(Arm(f"examples-{size}", f"1/{18360 // size} of the paper's 18,360",
              (f"adapter.examples={size}",), size=size) for size in _SIZES),
        Arm("all", "the reference: all of them", size=18360),
    ),
    axis="examples",
    needs=_NEEDS,
    keep_models=False,
    notes=(*_SHARED, "Every arm sees its examples equally often: fewer are fewer steps."),
)  # fmt: skip

_DATA: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("taco", "TACO", ()),
    # The recipe's commit is TACO's.
    ("mbpp", "MBPP's training split", ("problems.revision=",)),
    # Its functions have no tests; as many as TACO has rows.
    ("code_search_net", "CodeSearchNet, its first 25,443 functions",
     ("problems.revision=", "problems.verify=false", "problems.limit=25443")),
)  # fmt: skip

LANGUAGE = ExperimentSet(
    name="paper-language",
    summary="does what L_s does hold on other data?",
    recipe=_RECIPE,
    reference="taco-token-loss",
    arms=tuple(
        arm
        for source, name, needs in _DATA
        for arm in (
            Arm(f"{source}-token-loss", f"{name}, without L_s",
                (f"problems.source={source}", *needs, _OFF), against=f"{source}-token-loss"),
            Arm(f"{source}-full", f"{name}, with L_s",
                (f"problems.source={source}", *needs), against=f"{source}-token-loss"),
        )
    ),
    needs=_NEEDS,
    keep_models=False,
    notes=(
        *_SHARED,
        "Each data set is compared with itself: with L_s against without. CodeSearchNet has "
        "functions with their descriptions and no tests.",
    ),
)  # fmt: skip

PAPER = (GAIN, ABLATION, TEACHERS, ENCODERS, DATA_SIZE, LANGUAGE)
