"""A teacher behind an OpenAI-compatible endpoint: what a very large model is served by.

It is asked for the four sections and nothing else. Whether it sees the reference solution is a
setting: without it the reasoning is what a model would think before it knows the answer.
Answers are checked strictly, asked for again with the reason when they break the form, and kept
in an append-only file, so that a run that is stopped goes on without paying twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from assistant.errors import EndpointProblem
from assistant.format.completion import Rationale, outline
from training.teachers.cache import Cache
from training.teachers.sections import Rejected, read_sections
from training.world.problem import Problem

KEY_VARIABLE = "ASSISTANT_TEACHER_KEY"

_SYSTEM = f"""You explain how to solve a small programming task before any code is written.
Answer with exactly these four sections and nothing else, no code fence, no code section:

{outline()}"""


@dataclass(frozen=True)
class Settings:
    """How the endpoint is asked."""

    url: str
    """Base address with its version, such as http://localhost:8000/v1."""
    model: str
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 1024
    seed: int = 0
    attempts: int = 4
    """How often a problem is asked for before it counts as failed."""
    show_solution: bool = False
    """Show the reference code: explanations are surer then, but no longer made without it."""
    timeout: float = 300.0
    """Seconds without a byte before a request counts as failed."""
    pause: float = 1.0
    """Seconds before a request that failed on the way is sent again; doubles each time."""
    cache: Path | None = None
    """Where answers are kept; None: under the cache folder, one file for each model."""


def default_cache(settings: Settings) -> Path:
    """One file for each address and model."""
    from assistant.locations import cache_dir

    name = hashlib.sha256(f"{settings.url}\0{settings.model}".encode()).hexdigest()[:12]
    return cache_dir() / "teachers" / f"{name}.jsonl"


def ask_for(problem: Problem, show_solution: bool) -> list[dict[str, str]]:
    """The messages of the first attempt."""
    text = f"Task:\n{problem.request}"
    if problem.signature is None and problem.name:
        text += f"\n\nThe function is called {problem.name}."
    if show_solution:
        text += f"\n\nA correct solution, not to be quoted:\n{problem.code}"
    return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": text}]


class EndpointTeacher:
    """Asks, checks, keeps. Use it from one thread; `close` it when done."""

    name = "endpoint"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cache = Cache(settings.cache or default_cache(settings))
        key = os.environ.get(KEY_VARIABLE, "")
        self._client = httpx.Client(
            timeout=settings.timeout,
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )

    def close(self) -> None:
        """Close the connection and the file."""
        self._client.close()
        self.cache.close()

    def key(self, problem: Problem, sample: int) -> str:
        """What an answer depends on, as a hash: another prompt or setting is another answer."""
        s = self.settings
        parts = {
            "problem": problem.id,
            "prompt": ask_for(problem, s.show_solution),
            "model": s.model,
            "sampling": [s.temperature, s.top_p, s.max_tokens, s.seed],
            "sample": sample,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def context(self, problem: Problem, sample: int = 0) -> Rationale:
        """The reasoning for one problem.

        Args:
            sample: which of several answers to the same problem.

        Raises:
            EndpointProblem: the endpoint can not be reached, refuses, or breaks the form each time.
        """
        key = self.key(problem, sample)
        known = self.cache.get(key)
        if known is not None:
            return read_sections(known["text"])
        messages = ask_for(problem, self.settings.show_solution)
        reasons: list[str] = []
        for attempt in range(self.settings.attempts):
            text, finish = self._ask(messages, self.settings.seed + 1000 * sample + attempt)
            if finish == "length":
                # Cut off: never kept, and not shown again, it would only make the next one longer.
                reasons.append(f"the answer was longer than {self.settings.max_tokens} tokens")
                continue
            try:
                rationale = read_sections(text)
            except Rejected as rejected:
                reasons.append(str(rejected))
                messages = [*ask_for(problem, self.settings.show_solution), *_again(text, rejected)]
                continue
            self.cache.put(
                key,
                {
                    "problem": problem.id,
                    "model": self.settings.model,
                    "sample": sample,
                    "rejected": reasons,
                    "text": text,
                },
            )
            return rationale
        raise EndpointProblem(
            f"{self.settings.model} broke the form {len(reasons)} times for problem {problem.id}:"
            f" {reasons[-1]}",
            hint="try a larger model, or a larger max_tokens",
        )

    def _ask(self, messages: list[dict[str, str]], seed: int) -> tuple[str, str]:
        """One answer and why it ended. Sends again what failed on the way."""
        s = self.settings
        body = {
            "model": s.model,
            "messages": messages,
            "temperature": s.temperature,
            "top_p": s.top_p,
            "max_tokens": s.max_tokens,
            "seed": seed,
            "stream": False,
        }
        url = f"{s.url.rstrip('/')}/chat/completions"
        problem = ""
        for attempt in range(s.attempts):
            if attempt:
                time.sleep(s.pause * 2 ** (attempt - 1))
            try:
                response = self._client.post(url, json=body)
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if response.status_code == 429 or response.status_code >= 500:
                problem = f"status {response.status_code}: {response.text[:200]}"
                continue
            return _read(response, url)
        raise EndpointProblem(
            f"{url} did not answer in {s.attempts} attempts ({problem})",
            hint="start the server, or correct contexts.teacher; what was answered is kept",
        )


def _again(text: str, rejected: Rejected) -> list[dict[str, str]]:
    """The turns that show the teacher what was wrong."""
    return [
        {"role": "assistant", "content": text},
        {"role": "user", "content": f"Not accepted: {rejected}. Give the four sections again."},
    ]


def _read(response: httpx.Response, url: str) -> tuple[str, str]:
    if response.status_code != 200:
        raise EndpointProblem(
            f"{url} refused with status {response.status_code}: {response.text[:200]}",
            hint=f"check the model's name, and the key in {KEY_VARIABLE}",
        )
    try:
        choice: dict[str, Any] = response.json()["choices"][0]
        content = choice["message"]["content"]
        if not isinstance(content, str):
            raise ValueError("the content is no text")
        return content, str(choice.get("finish_reason"))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise EndpointProblem(
            f"{url} did not answer as a chat endpoint does ({error}): {response.text[:120]!r}",
            hint="the address must end in the API's version, such as /v1",
        ) from error
