"""Does a GGUF file read texts and write prompts as the model was trained on?

tokens   the tokenizers library on the model's tokenizer.json, and llama.cpp on the file: the
         same numbers for real files and for texts that tokenizers fail at, with the texts of
         special tokens taken as such and as text; and text comes back byte for byte
prompts  the engine's rendering of the file's chat template, transformers' rendering, and what
         training wrote: the same numbers
ends     what begins a text is the same, and what ends an answer ends a generation
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tokenizers

from assistant.engine import jinja_process, words
from assistant.engine.types import Message
from assistant.engine.words import Words
from assistant.errors import ModelProblem
from training.chat import Chat
from training.documents import Writer, is_control
from training.export import samples

_REQUESTS = (
    "Write a function `add(a, b)` that returns their sum.",
    "  Zwei Leerzeichen davor,\n\n\tTabs, CRLF\r\nund Umlaute: äöüß – 変数名 👩‍👩‍👧  ",
    "x",
    "```python\ndef f():\n" + " " * 40 + "return 1\n```\n",
)
_SPECIALS = 24
"""Special tokens whose texts are looked at."""
_SHOWN = 6
"""Tokens that a report shows of a difference; and differences that are shown."""


@dataclass(frozen=True)
class Identity:
    """What was compared, and what is not the same.

    Attributes:
        texts: how many.
        tokens: in all of them.
        prompts: requests that were rendered.
        problems: differences in words, the first of each kind.
        notes: what is not compared, and why.
    """

    texts: int
    tokens: int
    prompts: int
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def compare(
    file: Path,
    tokenizer: Path,
    described: Mapping[str, Any],
    *,
    chat: Chat | None = None,
    template: str | None = None,
    texts: Iterable[tuple[str, str]] | None = None,
) -> Identity:
    """How the words of `file` differ from those of the model that it was made from.

    Args:
        file: in GGUF; its weights are not read.
        tokenizer: the model's `tokenizer.json`.
        described: the model's configuration.
        chat: how training marked requests and answers; None: the model was not tuned here.
        template: the chat template that the file has to have; None: that of `chat`, or any.
        texts: (name, text) beside the adversarial ones; None: those of `samples.real`.
    """
    content = json.loads(tokenizer.read_text(encoding="utf-8"))
    # Some are saved as they cut and fill training batches.
    content |= {"truncation": None, "padding": None}
    notes = _without_normaliser(content)
    try:
        with words.opened(file) as found:
            both = _Both(content, found)
            named = [*samples.ADVERSARIAL.items(), *(samples.real() if texts is None else texts)]
            counts = both.texts([*named, *both.special_texts()])
            prompts = both.prompts(chat, template or (chat.template if chat else None))
            both.ends(chat, described)
    except ModelProblem as error:
        return Identity(0, 0, 0, (f"llama.cpp does not read it: {error.message}",), tuple(notes))
    return Identity(*counts, prompts, tuple(both.problems), tuple(notes))


def _without_normaliser(content: dict[str, Any]) -> list[str]:
    """Take out what serving does not do, and say so."""
    if (content.get("normalizer") or {}).get("type") != "NFC":
        return []
    content["normalizer"] = None
    return [
        "the tokenizer composes characters first (NFC) and llama.cpp does not: text that is not "
        "in that form has other tokens in the file"
    ]


class _Both:
    """A tokenizer and the words of a file, and what differs."""

    def __init__(self, content: dict[str, Any], found: Words) -> None:
        self._words = found
        self._whole = tokenizers.Tokenizer.from_str(json.dumps(content))
        plain = {**content, "added_tokens": [], "post_processor": None}
        self._plain = tokenizers.Tokenizer.from_str(json.dumps(plain))
        added = content["added_tokens"]
        self._added = [one["content"] for one in added]
        # llama.cpp finds added tokens that are no control tokens in any text.
        kept = [t["content"] for t in added if not is_control(t["content"], t["special"])]
        longest = sorted(kept, key=len, reverse=True)
        self._kept = re.compile(f"({'|'.join(map(re.escape, longest)) or '(?!)'})")
        self.problems: list[str] = []

    def special_texts(self) -> Iterator[tuple[str, str]]:
        """Texts with special tokens in them, at the start, inside of words, one after another."""
        for text in self._added[:_SPECIALS]:
            yield f"the special token {text}", f"{text}a {text} b{text}\n{text}{text}  {text}"

    def texts(self, named: Sequence[tuple[str, str]]) -> tuple[int, int]:
        """Compare the tokens of texts; returns how many texts and tokens there were."""
        count, lost = 0, []
        different: list[str] = []
        vocabulary = self._words.vocabulary
        for name, text in named:
            ways = {"special tokens as text": self._as_text(text)}
            if any(token in text for token in self._added):
                ways["special tokens as such"] = self._encoded(self._whole, text)
            for how, expected in ways.items():
                found = vocabulary.tokenize(text, parse_special=how.endswith("such"))
                if expected != found:
                    different.append(f"{name} ({how}): {self._shown(expected, found)}")
            count += len(ways["special tokens as text"])
            # As it goes on behind other text: SentencePiece puts a space before a first word.
            if vocabulary.text(vocabulary.continue_tokens(text)) != text:
                lost.append(name)
        self._say("of {} texts the tokens differ", different, len(named))
        self._say("{} texts do not come back as they were", lost, len(named))
        return len(named), count

    def _as_text(self, text: str) -> list[int]:
        """Tokens of a text in which only what llama.cpp always finds is special."""
        tokens: list[int] = []
        for number, part in enumerate(self._kept.split(text)):
            # Every second one is the text of such a token.
            tokens += self._encoded(self._whole if number % 2 else self._plain, part)
        return tokens

    @staticmethod
    def _encoded(tokenizer: tokenizers.Tokenizer, text: str) -> list[int]:
        tokens: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return tokens

    def prompts(self, chat: Chat | None, template: str | None) -> int:
        """Compare what requests become; returns how many there were."""
        source, ready = self._words.source, self._words.template
        if template is not None and source != template:
            self.problems.append("the file has another chat template than the model")
        if source is None or ready is None:
            return 0
        requests = [*_REQUESTS, *(f"say {text} and {text[:-1]}" for text in self._added[:3])]
        writer = None if chat is None else Writer(self._whole, chat)
        trained, rendered = [], []
        for request in requests:
            found = ready.tokens([Message("user", request)])
            if writer is not None and (expected := writer.prompt(request)) != found:
                trained.append(f"{request!r}: {self._shown(expected, found)}")
            # transformers takes special tokens in a request for such; here they stay text.
            if (
                request in _REQUESTS
                and (expected := self._by_transformers(source, request)) != found
            ):
                rendered.append(f"{request!r}: {self._shown(expected, found)}")
        self._say("{} prompts differ from what training wrote", trained, len(requests))
        self._say("{} prompts differ from transformers'", rendered, len(_REQUESTS))
        return len(requests)

    @functools.cached_property
    def _transformers(self) -> Any:
        """The tokenizer as transformers has it; it takes a second to make from a large one."""
        from transformers import PreTrainedTokenizerFast

        vocabulary = self._words.vocabulary
        facts = {"bos_token": vocabulary.bos_text or None, "eos_token": vocabulary.eos_text or None}
        make: Any = PreTrainedTokenizerFast
        return make(tokenizer_object=self._whole, **facts)

    def _by_transformers(self, source: str, request: str) -> list[int]:
        vocabulary = self._words.vocabulary
        text = self._transformers.apply_chat_template(
            [{"role": "user", "content": request}],
            chat_template=source, add_generation_prompt=True, tokenize=False,
            # What serving sets for a template, such as today's date in that of Llama 3.1.
            **jinja_process.variables({}, {}),
        )  # fmt: skip
        tokens = self._encoded(self._whole, text)
        if vocabulary.begin is not None and tokens[:1] != [vocabulary.begin]:
            tokens.insert(0, vocabulary.begin)
        return tokens

    def ends(self, chat: Chat | None, described: Mapping[str, Any]) -> None:
        """Compare what begins a text, and what ends an answer."""
        vocabulary = self._words.vocabulary
        before = self._whole.encode("").ids
        begin = [] if vocabulary.begin is None else [vocabulary.begin]
        # Where the tokenizer says nothing, the chat template writes it.
        if before != begin and (before or chat is None or not chat.opening):
            self.problems.append(
                f"the tokenizer begins a text with {self._texts(before)}, and the file with "
                f"{self._texts(begin)}"
            )
        said = described.get("eos_token_id")
        ends = [] if said is None else [said] if isinstance(said, int) else list(said)
        if chat is not None:
            ends = [self._whole.token_to_id(chat.end)]
        for end in ends:
            if not vocabulary.is_end(end):
                self.problems.append(f"{self._texts([end])} does not end an answer")

    def _say(self, what: str, cases: list[str], count: int) -> None:
        if cases:
            shown = "; ".join(cases[:_SHOWN])
            self.problems.append(f"{what.format(len(cases))} (of {count}): {shown}")

    def _shown(self, expected: list[int], found: list[int]) -> str:
        """Where two rows of tokens part."""
        place = next(
            (n for n, (one, two) in enumerate(zip(expected, found, strict=False)) if one != two),
            min(len(expected), len(found)),
        )
        here = slice(place, place + _SHOWN)
        return (
            f"from token {place} on {self._texts(expected[here])}, and in the file "
            f"{self._texts(found[here])}"
        )

    def _texts(self, tokens: list[int]) -> str:
        return " ".join(repr(self._whole.id_to_token(token)) for token in tokens) or "nothing"
