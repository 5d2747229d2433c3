"""One loaded model: prepare requests, start them, close.

`prepare_*` may be called from any thread and refuses what can not be served. What is prepared is
served by a `Scheduler`; `generate` is a short way to one, for a program that has the model alone.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from assistant.engine import adapters as attaching
from assistant.engine import healing, library
from assistant.engine.context import Context, ContextSize, Rollback, rollback_of
from assistant.engine.fill import Fill, NamedText, fill_prompt
from assistant.engine.fim import style_of
from assistant.engine.pieces import table_of
from assistant.engine.probabilities import probability
from assistant.engine.running import Running, Ticket
from assistant.engine.sampling import ready
from assistant.engine.scheduler import Scheduler
from assistant.engine.template import ChatTemplate
from assistant.engine.types import (
    CancelToken,
    EngineSettings,
    Finished,
    Limits,
    Message,
    ModelFacts,
    Output,
    Prepared,
    Sampling,
    TokenProbability,
)
from assistant.engine.vocabulary import Vocabulary
from assistant.errors import AssistantError, ModelProblem, RequestProblem
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from assistant.models import adapters, loadable, memory
from assistant.models.gguf import Header

OnProgress = Callable[[float], bool]
_SEQUENCES = 64
"""Sequences that a context can hold, in work and parked. They cost nothing but their tokens."""
_STASH_BYTES = 512 * 1024 * 1024
"""Kept outside of the context, at most; never more than the context itself takes."""
_FILL_DEFAULT_TOKENS = 128
_ONE_THREAD_BYTES = 32 * 1024 * 1024


class Engine:
    """A model in memory. Close it explicitly; it is also a context manager.

    Args:
        path: a GGUF file; its structure is checked before llama.cpp reads it.
        settings: how to load it.
        on_progress: told the share that is loaded, from 0 to 1; False ends it.

    Raises:
        ModelProblem: the file is missing, broken, or llama.cpp refuses it; or its adapter is not
            for this model.
        EngineProblem: the library is missing or wrong, or memory is short.
    """

    def __init__(
        self,
        path: Path,
        settings: EngineSettings | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        settings = settings or EngineSettings()
        adapter = settings.adapter
        header = adapters.joined(loadable.read(path), adapter)
        modified_ns = path.stat().st_mtime_ns
        adapter_ns = adapter.stat().st_mtime_ns if adapter is not None else 0
        self._lib = lib = library.llama()
        self._model = _load(path, settings, on_progress)
        try:
            chosen = [] if adapter is None else [(adapter, settings.adapter_scale)]
            attached = attaching.load(lib, self._model, header, chosen)
            self.vocabulary = Vocabulary(lib, lib.llama_model_get_vocab(self._model))
            self._fim = style_of(self.vocabulary, header.text("general.name") or path.stem)
            self.vocabulary.end_with(self._fim.ends if self._fim else ())
            source = header.text("tokenizer.chat_template")
            self._template = ChatTemplate(source, self.vocabulary) if source else None
            if self._fim is not None:
                # Now: it takes 0.3 s for a large vocabulary, and the first completion waits.
                table_of(self.vocabulary)
            self._length = memory.context_tokens(header, settings.context_length or 0)
            self._cell_bytes = memory.cache_bytes(header)
            self.context = Context(lib, self._model, self._size(settings, header))
            attaching.attach(lib, self.context.pointer, attached)
        except BaseException:
            lib.llama_model_free(self._model)
            raise
        self._own: Scheduler | None = None
        self._stash_bytes = settings.stash_bytes
        self.facts = ModelFacts(
            path=path,
            modified_ns=modified_ns,
            description=header.text("general.name") or header.architecture,
            format_name=header.text(METADATA_NAME_KEY),
            format_version=header.integer(METADATA_VERSION_KEY),
            context_length=min(self._length, self.context.cells),
            fim=self._fim is not None,
            chat=self._template is not None,
            memory_bytes=lib.llama_model_size(self._model) + adapters.bytes_of(adapter),
            adapter=adapter,
            adapter_modified_ns=adapter_ns,
        )

    def _size(self, settings: EngineSettings, header: Header) -> ContextSize:
        lib, model = self._lib, self._model
        threads = settings.threads or threads_for(lib.llama_model_size(model))
        if rollback_of(lib, model) is Rollback.WHOLE:
            # Each of these has a state of its own, whether it is used or not.
            return ContextSize(settings.cells or self._length, memory.STATES, threads)
        cells = settings.cells or memory.cells(header, self._length)
        return ContextSize(max(cells, self._length), _SEQUENCES, threads)

    @property
    def stash_bytes(self) -> int:
        """Memory for finished sequences outside of the context."""
        whole = self.context.cells * self._cell_bytes
        most = _STASH_BYTES if self._stash_bytes is None else self._stash_bytes
        return min(_STASH_BYTES, whole, most)

    @property
    def divisible(self) -> bool:
        """Whether the memory of a sequence can be cut anywhere."""
        return self.context.rollback is Rollback.EXACT

    def close(self) -> None:
        """Free the context and the model."""
        if self._model:
            if self._template is not None:
                self._template.close()
            self.context.close()
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
        prompt = self._template.prompt(messages)
        prepared = self._prepared(prompt.tokens, sampling, limits, before)
        return replace(prepared, thinking=prompt.thinking)

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
        *,
        typed: str = "",
        file_name: str = "",
        repository: str = "",
        extra: Sequence[NamedText] = (),
    ) -> Prepared:
        """Fill in between `prefix` and `typed` on one side and `suffix` on the other.

        Text that does not fit is cut at the far ends: three parts of the room are for what
        precedes, one for what follows. How it is put together: `fill.py`.

        Raises:
            ModelProblem: the model has no fill-in-the-middle tokens.
        """
        if self._fim is None:
            raise ModelProblem(
                f"{self.facts.path} has no fill-in-the-middle tokens, so it can not complete "
                "inside of a line.",
                hint="Choose one that has them: assistant models use NAME --role inline",
            )
        limits = limits or Limits()
        # As much for a request that only warms the cache: it has to see the same window.
        wanted = limits.max_tokens or _FILL_DEFAULT_TOKENS
        place = Fill(prefix, suffix, typed, file_name, repository, tuple(extra))
        # Half of it is for the place at least: an answer to nothing would be of no use.
        room = self.facts.context_length - min(wanted, self.facts.context_length // 2)
        tokens = fill_prompt(self.vocabulary, self._fim, place, room)
        tokens, healed = healing.cut(table_of(self.vocabulary), tokens)
        prepared = self._prepared(tokens, sampling, limits, "", default=wanted)
        return dataclasses.replace(prepared, healed=healed)

    def _prepared(
        self,
        tokens: list[int],
        sampling: Sampling | None,
        limits: Limits | None,
        before: str,
        default: int | None = None,
    ) -> Prepared:
        limits = limits or Limits()
        room = self.facts.context_length - len(tokens)
        if not tokens:
            raise RequestProblem("The request is empty.")
        if room < 1:
            raise RequestProblem(
                f"The request has {len(tokens)} tokens; the context of this model holds "
                f"{self.facts.context_length}, and the answer has to fit as well.",
                hint="Send less context, or choose a model with a longer one.",
            )
        sampling = sampling or Sampling()
        ready(self.vocabulary, sampling, limits)
        wanted = default or room if limits.max_tokens is None else limits.max_tokens
        return Prepared(tuple(tokens), sampling, limits, min(wanted, room), before)

    def start(self, ticket: Ticket) -> Running:
        """Take a request into work, in the scheduler's thread.

        Raises:
            RequestProblem: its grammar can not be used.
        """
        return Running(ticket, self._lib, self.vocabulary, self.facts.context_length)

    def probability(self, one: Running, row: int, token: int) -> TokenProbability | None:
        """How likely `token` was at a row of the last call; None when nobody asked."""
        count = one.request.limits.logprobs
        if count is None:
            return None
        logits = one.sampler.logits(self.context.pointer, row)
        return probability(logits, token, count, self.vocabulary.piece)

    def forget(self) -> None:
        """Forget what `generate` has kept of earlier requests."""
        if self._own is not None:
            self._own.detach(self)
            self._own.attach(self)

    def generate(self, request: Prepared, cancel: CancelToken) -> Iterator[Output]:
        """The answer as it comes: progress of the prompt, pieces of text, one `Finished` last.

        Closing the iterator cancels the request. Not while a daemon's scheduler serves the model.

        Raises:
            EngineProblem: llama.cpp failed in this request; the next one starts afresh.
        """
        if self._own is None:
            self._own = Scheduler()
            self._own.attach(self)
        outputs: collections.deque[Output | AssistantError] = collections.deque()
        ticket = Ticket(request, outputs.append, cancel=cancel)
        self._own.submit(self, ticket)
        try:
            while True:
                while outputs:
                    output = outputs.popleft()
                    if isinstance(output, AssistantError):
                        raise output
                    yield output
                    if isinstance(output, Finished):
                        return
                if cancel.cancelled:
                    self._own.cancel(ticket)
                self._own.step()
        finally:
            self._own.cancel(ticket)
            self._own.step()


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


def _load(path: Path, settings: EngineSettings, on_progress: OnProgress | None) -> object:
    lib = library.llama()
    params = lib.llama_model_default_params()
    params.n_gpu_layers = settings.gpu_layers
    if on_progress is not None:
        # Held by this frame for as long as llama.cpp may call it.
        callback = lib.llama_progress_callback(lambda share, _: on_progress(share))
        params.progress_callback = callback
    library.errors_of_library()
    model: object = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelProblem(
            f"llama.cpp can not load {path}: {library.errors_of_library() or 'no reason given'}.",
            hint="The file may need a newer llama.cpp, or be made for another program. "
            "Choose another model: assistant models list",
        )
    return model
