"""The choice of the next token.

Greedy is numpy's argmax on llama.cpp's own memory. With a temperature llama.cpp's samplers run,
in llama-server's order: penalties, top-k, top-p, min-p, temperature, draw. Grammar and healing
look at the token that was chosen, and only if they refuse it the choice is made again among
those that they allow.
"""

from __future__ import annotations

import ctypes
import logging
import math
import secrets
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy

from assistant.engine import grammar
from assistant.engine.grammar import GrammarCursor
from assistant.engine.healing import Healing
from assistant.engine.penalties import Penalties
from assistant.engine.pieces import table_of
from assistant.engine.rows import largest, rows_of
from assistant.engine.types import Limits, Prepared, Sampling
from assistant.errors import EngineProblem, RequestProblem

if TYPE_CHECKING:
    from assistant.engine.rows import Ids, Logits
    from assistant.engine.vocabulary import Vocabulary

# Below it logits divided by the temperature overflow, and the draw is among NaN.
_GREEDY_BELOW = 1e-6
_MOST_KEPT = 2**31 - 1
# Of a seed; llama.cpp takes it for none, so that it draws the numbers of the one before it.
_ALL_ONES = 2**32 - 1
# From so many tokens on, looking for the few most likely ones first is quicker.
_LARGE, _FEW = 32768, 256
# Candidates for each one that is kept: that are aimed at, so few and so many that the aim stays,
# and at most taken; and how far the aim is lowered, in logits, when there were fewer.
_AIM, _CLOSE, _FAR, _SPARE, _SLACK = 4, 2, 8, 24, 0.25
# llama_token_data: what a chain of samplers works on.
_CANDIDATE = numpy.dtype(
    [("id", numpy.int32), ("logit", numpy.float32), ("p", numpy.float32)], align=True
)


log = logging.getLogger(__name__)


class Sampler:
    """Chooses the tokens of one request; a context manager that frees its samplers.

    The same seed gives the same tokens, whatever other requests run.

    Args:
        lib: the checked library.
        vocabulary: of the model.
        request: how to choose, and what the answer has to follow.

    Raises:
        RequestProblem: a number of the sampling is out of range, or the grammar can not be used.
    """

    margin: float = math.inf
    """By how much the last greedy choice was ahead of the second best, in logits; infinite if it
    was not asked for, or if there was no choice."""
    grammar_lost = False
    """A forced token was not in the grammar; since then the choice is free."""

    def __init__(self, lib: Any, vocabulary: Vocabulary, request: Prepared) -> None:
        sampling = request.sampling
        check(sampling)
        self._lib = lib
        self._rows = rows_of(lib, vocabulary)
        self._top_k = sampling.top_k
        self._threshold = math.inf
        self._penalties = (
            Penalties(sampling, request.tokens) if Penalties.wanted(sampling) else None
        )
        self._healing: Healing | None = None
        if request.healed:
            self._healing = Healing(table_of(vocabulary), request.healed)
        self._grammar: GrammarCursor | None = None
        if request.limits.grammar:
            self._grammar = GrammarCursor(request.limits.grammar, table_of(vocabulary))
        self._piece = vocabulary.piece
        self._never = numpy.array(vocabulary.suppressed, numpy.intp)
        self._chain = None if sampling.temperature < _GREEDY_BELOW else _chain(lib, sampling)
        self._candidates: _Candidates | None = None

    def __enter__(self) -> Sampler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free what llama.cpp holds; once is enough, twice is harmless."""
        if self._chain is not None:
            self._lib.llama_sampler_free(self._chain)
            self._chain = None

    def logits(self, context: Any, row: int) -> Logits:
        """The model's own logits of a row; valid until the next decode call."""
        return self._rows.row(context, row)

    def pick(self, context: Any, row: int, *, want_margin: bool = False) -> int:
        """A token from the logits of an output row of the last decode call.

        Nothing but the random generator remembers it: what is really taken is told to `accept`.

        Args:
            context: a `llama_context *`.
            row: place in the batch, or -1 for the last that has logits.
            want_margin: set `margin`, at the cost of a second pass.

        Raises:
            EngineProblem: the model computed something that is not a number.
            RequestProblem: the grammar can not be followed any further.
        """
        logits = self._rows.row(context, row)
        if self._never.size:
            logits[self._never] = -math.inf
        if self._penalties is None:
            return self._fitting(logits, context, row, want_margin)
        changed = self._penalties.apply(logits)
        try:
            return self._fitting(logits, context, row, want_margin)
        finally:
            self._penalties.undo(logits, changed)

    def accept(self, token: int) -> int:
        """Take `token`, chosen or forced, into account for the next choice.

        Returns:
            How many bytes at its beginning are in the prompt already (`Prepared.healed`), and not
            to be given out again: 0 but for the first tokens.
        """
        known = 0
        if self._penalties is not None:
            self._penalties.accept(token)
        if self._healing is not None:
            known = self._healing.take(token)
            if not self._healing.remaining:
                self._healing = None
        if self._grammar is not None:
            self._follow(self._grammar, token, self._piece(token)[known:])
        return known

    def _fitting(self, logits: Logits, context: Any, row: int, want_margin: bool) -> int:
        """A choice that healing and grammar allow."""
        if self._healing is not None:
            return self._healed(logits, self._healing, want_margin)
        if self._grammar is None:
            return self._choose(logits, context, row, want_margin)
        self._grammar.begin()
        token = self._choose(logits, context, row, want_margin)
        if self._grammar.allows(token):
            return token
        wanted = 1 + want_margin if self._chain is None else self._top_k
        ids = self._grammar.candidates(logits, wanted)
        if not len(ids):
            raise RequestProblem(
                "The grammar asks for text that the tokens of this model can not spell."
            )
        return self._choose_among(logits, ids, want_margin)

    def _follow(self, grammar: GrammarCursor, token: int, text: bytes) -> None:
        if not grammar.accept(text):
            log.warning("the forced token %d is not in the grammar, which is given up", token)
            self.grammar_lost, self._grammar = True, None

    def _healed(self, logits: Logits, healing: Healing, want_margin: bool) -> int:
        ids = healing.allowed()
        if self._grammar is not None:
            # What reaches beyond the prompt belongs to the answer, which the grammar is about.
            self._grammar.begin()
            begun = len(healing.remaining)
            fits = [self._grammar.allows_text(self._piece(token)[begun:]) for token in ids.tolist()]
            ids = ids[fits] if any(fits) else ids
        return self._choose_among(logits, ids, want_margin)

    def _choose(self, logits: Logits, context: Any, row: int, want_margin: bool) -> int:
        if self._chain is not None and 0 < self._top_k <= _FEW and len(logits) >= _LARGE:
            # All that top-k can keep; the other candidates need not be made. A NaN is among them
            # or leaves none, as it is the largest for numpy and no number is as large.
            ids, kept = self._likely(logits)
            top = float(kept.max()) if len(kept) else math.nan
            if not math.isfinite(top):
                raise _not_a_number(top)
            return self._draw(self._chain, ids, kept)
        # The first NaN is the largest for argmax: one look at the winner finds it.
        best = int(logits.argmax())
        top = float(logits[best])
        if not math.isfinite(top):
            raise _not_a_number(top)
        if self._chain is not None:
            token: int = self._lib.llama_sampler_sample(self._chain, context, row)
            return token
        if want_margin:
            self.margin = _margin(logits, best, top)
        return best

    def _likely(self, logits: Logits) -> tuple[Ids, Logits]:
        """At least the `top_k` largest and not many more: which, and their logits.

        Logits of neighbouring tokens lie in the same range: what was a little below the `top_k`-th
        one the last time lets enough through now, nearly always, with one look at all of them.
        """
        top_k = self._top_k
        ids = numpy.flatnonzero(logits >= self._threshold)
        if _CLOSE * top_k <= len(ids) <= _FAR * top_k:
            return ids, logits[ids]
        if not top_k <= len(ids) <= _SPARE * top_k:
            ids = largest(logits, min(2 * top_k, len(logits)))
        kept = logits[ids]
        if len(ids):
            beyond = max(0, len(ids) - _AIM * top_k)
            lower = float(numpy.partition(kept, beyond)[beyond])
            self._threshold = lower if len(ids) >= _AIM * top_k else lower - _SLACK
        return ids, kept

    def _choose_among(self, logits: Logits, ids: Ids, want_margin: bool) -> int:
        """As `_choose`, among some tokens only."""
        allowed = logits[ids]
        best = int(allowed.argmax())
        top = float(allowed[best])
        if math.isnan(top) or top == math.inf:
            raise _not_a_number(top)
        # Infinitely unlikely ones, if nothing else is allowed: there is nothing to draw from.
        if self._chain is not None and top != -math.inf:
            return self._draw(self._chain, ids, allowed)
        if want_margin:
            self.margin = _margin(allowed, best, top)
        return int(ids[best])

    def _draw(self, chain: Any, ids: Ids, logits: Logits) -> int:
        if self._candidates is None or len(ids) > self._candidates.room:
            self._candidates = _Candidates(self._lib, 2 * len(ids))
        return self._candidates.draw(chain, ids, logits)


class _Candidates:
    """What a chain of samplers chooses among, in memory that is used again for each token.

    Args:
        lib: the checked library.
        room: the most of them.
    """

    def __init__(self, lib: Any, room: int) -> None:
        self.room = room
        self._rows = numpy.zeros(room, _CANDIDATE)
        self._ids, self._logits = self._rows["id"], self._rows["logit"]
        data = self._rows.ctypes.data_as(lib.llama_token_data_p)
        self._array = lib.llama_token_data_array(data=data, size=0, selected=-1, sorted=False)
        self._pointer = ctypes.byref(self._array)
        self._apply = lib.llama_sampler_apply

    def draw(self, chain: Any, ids: Ids, logits: Logits) -> int:
        """One of `ids`, ``(candidates,)``, which have these logits."""
        count = len(ids)
        self._ids[:count], self._logits[:count] = ids, logits
        array = self._array
        array.size, array.selected, array.sorted = count, -1, False
        self._apply(chain, self._pointer)
        return int(self._ids[array.selected])


def ready(vocabulary: Vocabulary, sampling: Sampling, limits: Limits) -> None:
    """Refuse what can not be followed, and build what takes time, before a request is queued.

    Raises:
        RequestProblem: a number of the sampling is out of range, or the grammar can not be used.
    """
    check(sampling)
    if limits.grammar:
        grammar.check(limits.grammar)
        table_of(vocabulary)


def check(sampling: Sampling) -> None:
    """Refuse numbers that would make every probability nonsense.

    Raises:
        RequestProblem: it names the setting.
    """
    for name in ("temperature", "top_p", "min_p", "frequency_penalty", "presence_penalty"):
        value = getattr(sampling, name)
        if not math.isfinite(value):
            raise RequestProblem(f"{name} is {value}; it has to be a number.")
    penalty = sampling.repeat_penalty
    if not (math.isfinite(penalty) and penalty > 0 and math.isfinite(1 / penalty)):
        raise RequestProblem(
            f"repeat_penalty is {penalty}; it has to be more than 0.", hint="1 switches it off."
        )


def _chain(lib: Any, sampling: Sampling) -> Any:
    seed = secrets.randbits(32) if sampling.seed is None else sampling.seed & _ALL_ONES
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for sampler in (
        lib.llama_sampler_init_top_k(max(0, min(sampling.top_k, _MOST_KEPT))),
        lib.llama_sampler_init_top_p(sampling.top_p, 1),
        lib.llama_sampler_init_min_p(sampling.min_p, 1),
        lib.llama_sampler_init_temp(sampling.temperature),
        lib.llama_sampler_init_dist(min(seed, _ALL_ONES - 1)),
    ):
        lib.llama_sampler_chain_add(chain, sampler)
    return chain


def _margin(logits: Logits, best: int, top: float) -> float:
    """The lead of the best; the logits are as before afterwards."""
    logits[best] = -math.inf
    second = float(logits.max())
    logits[best] = top
    return top - second


def _not_a_number(value: float) -> EngineProblem:
    return EngineProblem(
        f"The model computed {value} as its largest logit; its weights may be damaged, or its "
        "numbers too large for the type that they are computed in.",
        hint="Check the file: assistant models info; or choose another quantisation.",
    )
