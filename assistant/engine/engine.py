"""One loaded model: prepare requests, generate answers, close.

`prepare_*` may be called from any thread and refuses what can not be served; `generate` belongs
to one thread at a time. This is where tokens are sampled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from assistant.engine import library
from assistant.engine.context import Context
from assistant.engine.output import ForcedTexts, StopFinder
from assistant.engine.sampling import Sampler
from assistant.engine.template import ChatTemplate
from assistant.engine.types import (
    CancelToken,
    EngineSettings,
    Finished,
    FinishReason,
    Limits,
    Message,
    ModelFacts,
    Output,
    Prepared,
    PromptProgress,
    Sampling,
    Text,
)
from assistant.engine.vocabulary import TextDecoder, Vocabulary
from assistant.errors import ModelProblem, RequestProblem
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from assistant.models import gguf

DEFAULT_CONTEXT = 8192
"""Memory grows with the context: 128 KiB a token for an 8B Llama, so 1 GiB at this length."""
_MIN_CONTEXT = 32
_FILL_DEFAULT_TOKENS = 128
_ONE_THREAD_BYTES = 32 * 1024 * 1024


class Engine:
    """A model in memory. Close it explicitly; it is also a context manager.

    Args:
        path: a GGUF file; its structure is checked before llama.cpp reads it.
        settings: how to load it.

    Raises:
        ModelProblem: the file is missing, broken, or llama.cpp refuses it.
        EngineProblem: the library is missing or wrong, or memory is short.
    """

    def __init__(self, path: Path, settings: EngineSettings | None = None) -> None:
        settings = settings or EngineSettings()
        header = gguf.read_header(path)
        modified_ns = path.stat().st_mtime_ns
        self._lib = lib = library.llama()
        self._model = _load(path, settings)
        try:
            self.vocabulary = Vocabulary(lib, lib.llama_model_get_vocab(self._model))
            source = header.text("tokenizer.chat_template")
            self._template = ChatTemplate(source, self.vocabulary) if source else None
            length = _context_length(lib.llama_model_n_ctx_train(self._model), settings)
            threads = settings.threads or threads_for(lib.llama_model_size(self._model))
            self._context = Context(lib, self._model, length, threads)
        except BaseException:
            lib.llama_model_free(self._model)
            raise
        self.facts = ModelFacts(
            path=path,
            modified_ns=modified_ns,
            description=header.text("general.name") or header.architecture,
            format_name=header.text(METADATA_NAME_KEY),
            format_version=header.integer(METADATA_VERSION_KEY),
            context_length=self._context.length,
            fim=self.vocabulary.fim is not None,
            chat=self._template is not None,
            memory_bytes=lib.llama_model_size(self._model),
        )

    def close(self) -> None:
        """Free the context and the model."""
        if self._model:
            self._context.close()
            self._lib.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare_chat(
        self,
        messages: Sequence[Message],
        sampling: Sampling | None = None,
        limits: Limits | None = None,
    ) -> Prepared:
        """A chat request, rendered by the model's own template.

        Raises:
            ModelProblem: the model has no chat template.
            RequestProblem: the messages are malformed or longer than the context.
        """
        if self._template is None:
            raise ModelProblem(
                f"{self.facts.path} has no chat template (tokenizer.chat_template), so it can "
                "not be given a request; it is a base model.",
                hint="Choose an instruction-tuned model: assistant models list",
            )
        before = messages[-1].content if messages and messages[-1].role == "assistant" else ""
        return self._prepared(self._template.tokens(messages), sampling, limits, before)

    def prepare_raw(
        self, prompt: str, sampling: Sampling | None = None, limits: Limits | None = None
    ) -> Prepared:
        """A prompt as it is; special tokens in it count, so it has to come from a program.

        Raises:
            RequestProblem: it is empty or longer than the context.
        """
        tokens = self.vocabulary.tokenize(prompt, parse_special=True)
        if self.vocabulary.begin is not None and tokens[:1] != [self.vocabulary.begin]:
            tokens.insert(0, self.vocabulary.begin)
        return self._prepared(tokens, sampling, limits, prompt)

    def prepare_fill(
        self,
        prefix: str,
        suffix: str,
        sampling: Sampling | None = None,
        limits: Limits | None = None,
    ) -> Prepared:
        """Fill in between `prefix` and `suffix` with the model's own tokens.

        Text that does not fit is cut at the far ends: three parts of the room are for what
        precedes, one for what follows.

        Raises:
            ModelProblem: the model has no fill-in-the-middle tokens.
        """
        if self.vocabulary.fim is None:
            raise ModelProblem(
                f"{self.facts.path} has no fill-in-the-middle tokens, so it can not complete "
                "inside of a line.",
                hint="Choose a model with such tokens for the role 'inline'.",
            )
        limits = limits or Limits()
        wanted = limits.max_tokens or _FILL_DEFAULT_TOKENS
        begin = [] if self.vocabulary.begin is None else [self.vocabulary.begin]
        room = max(0, self._context.length - wanted - 3 - len(begin))
        head, tail = _cut(self.vocabulary.tokenize(prefix), self.vocabulary.tokenize(suffix), room)
        before, after, middle = self.vocabulary.fim
        tokens = [*begin, before, *head, after, *tail, middle]
        return self._prepared(tokens, sampling, limits, "", default=wanted)

    def _prepared(
        self,
        tokens: list[int],
        sampling: Sampling | None,
        limits: Limits | None,
        before: str,
        default: int | None = None,
    ) -> Prepared:
        limits = limits or Limits()
        room = self._context.length - len(tokens)
        if not tokens:
            raise RequestProblem("The request is empty.")
        if room < 1:
            raise RequestProblem(
                f"The request has {len(tokens)} tokens; the context of this model holds "
                f"{self._context.length}, and the answer has to fit as well.",
                hint="Send less context, or choose a model with a longer one.",
            )
        wanted = limits.max_tokens or default or room
        return Prepared(tuple(tokens), sampling or Sampling(), limits, min(wanted, room), before)

    def generate(self, request: Prepared, cancel: CancelToken) -> Iterator[Output]:
        """The answer as it comes: progress of the prompt, pieces of text, one `Finished` last.

        Raises:
            EngineProblem: llama.cpp failed in this request; the next one starts afresh.
        """
        started = time.perf_counter()
        total = len(request.tokens)
        cached = self._context.keep_prefix(request.tokens)
        yield PromptProgress(total, cached, cached)
        for done in self._context.evaluate(request.tokens[cached:], cancel):
            yield PromptProgress(total, cached, cached + done)
        evaluated = time.perf_counter()
        count, reason = 0, FinishReason.CANCELLED
        if not cancel.cancelled:
            for output in self._tokens(request, cancel):
                if isinstance(output, FinishReason):
                    reason = output
                else:
                    count = output.tokens
                    if output.text:
                        yield output
        ended = time.perf_counter()
        yield Finished(
            reason=reason,
            prompt_tokens=total,
            cached_tokens=cached,
            completion_tokens=count,
            prompt_ms=(evaluated - started) * 1000,
            predicted_ms=(ended - evaluated) * 1000,
        )

    def _tokens(self, request: Prepared, cancel: CancelToken) -> Iterator[Text | FinishReason]:
        """Sample, look at the text, evaluate; the reason of the end comes last."""
        context, vocabulary = self._context, self.vocabulary
        forced = ForcedTexts(request.limits.forced, request.before)
        stops = StopFinder(request.limits.stop)
        decoder = TextDecoder()
        count = 0
        with Sampler(self._lib, vocabulary, request) as sampler:
            while True:
                token = sampler.pick(context.pointer, -1)
                if vocabulary.is_end(token):
                    yield Text(stops.close(), count)
                    yield FinishReason.STOP
                    return
                follow, piece = [token], decoder.feed(vocabulary.piece(token))
                if (addition := forced.feed(piece)) is not None:
                    kept = piece[: addition.keep]
                    # A token that reaches beyond the place is replaced by its part before it.
                    head = [token] if kept == piece else vocabulary.tokenize(kept)
                    follow = head + vocabulary.tokenize(addition.text)
                    piece, decoder = kept + addition.text, TextDecoder()
                for taken in follow:
                    sampler.accept(taken)
                count += len(follow)
                yield Text(stops.feed(piece), count)
                if stops.found:
                    yield FinishReason.STOP
                    return
                if count >= request.max_tokens or len(follow) > context.room:
                    yield Text(stops.close(), count)
                    yield FinishReason.LENGTH
                    return
                for _ in context.evaluate(follow, cancel):
                    pass
                if cancel.cancelled:
                    yield FinishReason.CANCELLED
                    return


def threads_for(weights: int) -> int:
    """How many threads a model of so many bytes is worth.

    A step of a very small model is over sooner than its threads have met.
    """
    return 1 if weights < _ONE_THREAD_BYTES else available_threads()


def available_threads() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def _load(path: Path, settings: EngineSettings) -> object:
    lib = library.llama()
    params = lib.llama_model_default_params()
    params.n_gpu_layers = settings.gpu_layers
    library.errors_of_library()
    model: object = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelProblem(
            f"llama.cpp can not load {path}: {library.errors_of_library() or 'no reason given'}.",
            hint="The file may need a newer llama.cpp, or be made for another program. "
            "Choose another model: assistant models list",
        )
    return model


def _context_length(trained: int, settings: EngineSettings) -> int:
    wanted = settings.context_length or DEFAULT_CONTEXT
    return max(_MIN_CONTEXT, min(wanted, trained))


def _cut(head: list[int], tail: list[int], room: int) -> tuple[list[int], list[int]]:
    """The last tokens of `head` and the first of `tail`; a side's spare room is the other's."""
    for_tail = min(len(tail), max(room // 4, room - len(head)))
    for_head = min(len(head), room - for_tail)
    return head[len(head) - for_head :], tail[:for_tail]
