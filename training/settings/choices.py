"""Settings that take one of a few words.

The words themselves mean something in other files, most of which need torch; a test compares.
"""

from __future__ import annotations

CHOICES: dict[str, tuple[str, ...]] = {
    "chain": ("scratch", "pretrained", "untrained"),
    "problems.source": (
        "world", "taco", "code_contests", "mbpp", "code_search_net", "own_code",
    ),
    "problems.reference": ("shortest", "first"),
    "contexts.template": (
        "forward", "backward", "forward-notes", "backward-notes", "mathematics",
        "planner-writer", "agents",
    ),
    "contexts.select": ("all", "first", "passing"),
    "student.chat": ("auto", "llama3", "chatml", "plain"),
    "student.weights": ("float32", "bfloat16", "nf4"),
    "structural.arm": (
        "off", "placebo", "soft", "straight-through", "unanchored", "policy-gradient",
        "projection", "student-encoder",
    ),
    "structural.encoder": (
        "own", "codebert", "codebert-python", "graphcodebert", "unixcoder", "random",
    ),
    "structural.pooling": ("pieces", "mean", "cls"),
    "structural.centring": ("none", "mean", "whitening"),
    "curriculum.schedule": ("linear", "cosine", "steps", "fixed", "alpha-constant"),
    "curriculum.beta_scale": ("raw", "auto"),
    "adapter.kind": ("lora", "rslora", "dora"),
    "adapter.answer": ("reasoning", "code"),
    "adapter.schedule": ("trapezoid", "cosine", "linear", "constant"),
    "evaluate.prompt": ("reasoning", "direct"),
}  # fmt: skip
"""The words by the setting's key."""
