"""The teacher and what it is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contexts:
    """The reasoning that a teacher writes for each problem."""

    teacher: str = "program"
    """`program` writes from a problem's own construction; a URL is an OpenAI-compatible endpoint
    behind which a large model answers; `batch` writes files for `vllm run-batch` or a service's
    batch interface and reads their results; `local:MODEL` is a GGUF of this machine."""
    teacher_model: str = ""
    """The model to ask for at the endpoint."""
    teacher_revision: str = ""
    """Commit of the model's weights, for the records: answers of another one are not reused."""
    teacher_answers_as: str = ""
    """The name that the server answers under, where it is not `teacher_model`."""
    template: str = "forward"
    """What is asked: `forward` (the problem alone), `backward` (with a correct solution),
    `forward-notes` and `backward-notes` (a second wording), `mathematics`, `planner-writer`,
    `agents` (planner, critic, writer)."""
    samples: int = 1
    """Answers to each problem."""
    select: str = "all"
    """Which samples are learned from: `all`, `first` (of each problem), or `passing`: the first
    from which the same teacher writes code that passes the tests; problems without one are left
    out and counted. An ablation: such filters have lowered accuracy elsewhere."""
    temperature: float = 0.6
    """0 always takes the likeliest token: then all samples of a problem are the same."""
    top_p: float = 0.95
    """Share of probability that tokens are drawn from."""
    max_tokens: int = 1024
    """Of one answer; a longer one is cut off and not used."""
    attempts: int = 4
    """How often a sample is asked for when it breaks the form, each time with the reason."""
    max_failed_share: float = 0.05
    """Samples that may fail before the run stops; they are listed in contexts.failed.jsonl."""
    concurrency: int = 32
    """Requests under way at once."""
    requests_per_minute: int = 0
    """Never more than so many; 0: no limit."""
    tokens_per_minute: int = 0
    """Never more than so many, prompts and answers together; 0: no limit."""
    timeout: float = 600.0
    """Seconds without a byte after which a request counts as lost and is sent again."""
    stream: bool = False
    """Take answers as they are written: a dead server is noticed sooner, for some more work."""
    busy_minutes: float = 720.0
    """How long a server that answers 'too many requests' is waited for."""
    away_minutes: float = 15.0
    """How long a server that has died in mid-run is waited for."""
    usd_per_million_prompt: float = 0.0
    """Price of a million tokens that the teacher reads, in US dollars."""
    usd_per_million_completion: float = 0.0
    """Price of a million tokens that the teacher writes, in US dollars."""
    max_usd: float = 0.0
    """Stop before more than this is spent, answers kept from earlier included; 0: no limit."""
    expected_tokens: int = 900
    """Of one answer, for the estimate before the start alone."""
    tokens_per_second: float = 0.0
    """That the server writes for all requests together, for the estimate alone; 0: not known.
    One H200 with Llama-3.3-70B in FP8 wrote about 2,900 (TensorRT-LLM 1.0's own overview)."""
    records: str = ""
    """File of the teacher's answers; empty: in the cache folder, one for each model."""
