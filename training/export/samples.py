"""Texts to look at an export with: real ones, and those that tokenizers are known to fail at."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import tokenizers

import assistant
from assistant.errors import ExportProblem

TOKENS = 2048
"""Of the text that logits are compared on. Llama 3's rotary factors change waves that are longer
than that: fewer tokens would hardly show that they are missing."""
FILES = 200
"""Real files whose tokens are compared."""
_LARGEST = 40_000
"""Bytes of a file that is taken."""

ADVERSARIAL = {
    "empty": "",
    "one space": " ",
    "CRLF": "def f():\r\n    return 1\r\n\r\n\r\nx\r",
    "indents of 1 to 80 spaces": "\n".join(" " * n + "x" for n in range(81)),
    "40 spaces at the end": "x" + " " * 40,
    "tabs": "\tif x:\n\t\t\treturn\t1\n \t \t",
    "blank lines": "\n" * 9 + "x" + "\n \n  \n\t\n" * 3,
    "no-break spaces": "a\u00a0b\u00a0\u00a0c \u00a0 d\u202fe\u2007f\u3000g",
    "joiners": "👩‍👩‍👧‍👦 👍🏽 🇩🇪 e\u0301 \u200d \u200b \ufeff x",
    "CJK and its digits": "变量一二三〇 １２３４５ 四千五百 변수 값 ひらがなカタカナ漢字 ٣٤٥ ४५६",
    "right to left": "שלום עולם ‏x = 1 مرحبا بالعالم\u202e",
    "digits": "1 12 123 1234 12345 123456 1234567 0x1F 1_000_000 3.14159 1e-10 v1.2.3",
    "apostrophes": "I'm you'RE it's WE'LL they'd don'T ''s '' 'sx ’s I've",
    "punctuation": "!@#$%^&*()_+-=[]{}|;':\",./<>?`~ ... --- ===>>> !== ?? :: //// #### $$",
    "comment rules": "#" * 79 + "\n" + "=" * 120 + "\n" + "-" * 33 + "\n" + "*" * 64 + " x\n",
    "control characters": "a\x00b\x01\x07\x08\x0b\x0c\x1b[0m\x7f\x85\u2028\u2029z",
    "letters of many kinds": "ﬁﬂ ǅ ß ẞ ﷺ ŉ İı Ωω Жж Ա ა ნ ก ไทย አማርኛ ᏣᎳᎩ 𝕏𝒞 ＡＢ ª º ² ¼ Ⅷ",
    "long word": "a" * 300 + "B" * 300 + "é" * 100,
    "mixed case": "camelCaseHTTPServerID SCREAMING_SNAKE_CASE __dunder__ x2y Über naïve",
    "bytes of no token": "\U0010ffff\ue000\U000e0041\ufffd",
    "nearly special": "<|im_end <|im_start|| |> <|endoftext <| |begin_of_text|> </s <s > [INST ]",
}


def real(count: int = FILES) -> Iterator[tuple[str, str]]:
    """(name, text) of files that are on every machine: Python's own library, then this program.

    Args:
        count: of files, at most; spread evenly over those that there are.
    """
    library = Path(sysconfig.get_path("stdlib"))
    own = Path(assistant.__file__).parent
    found = [
        path
        for root, pattern in ((library, "*.py"), (library, "[a-su-z]*/*.py"), (own, "**/*.py"))
        for path in sorted(root.glob(pattern))
        if "site-packages" not in path.parts and 0 < path.stat().st_size <= _LARGEST
    ]
    step = max(1.0, len(found) / count)
    for number in range(min(count, len(found))):
        path = found[int(number * step)]
        text = path.read_bytes().decode("utf-8", "replace")
        root = library if path.is_relative_to(library) else own.parent
        yield path.relative_to(root).as_posix(), text


def tokenizer(path: Path) -> tokenizers.Tokenizer:
    """The tokenizer in the file `path`, that neither cuts a text nor lengthens it.

    A tokenizer.json may say that it does both, as it did for the batches of a training.

    Raises:
        ExportProblem: it can not be read.
    """
    try:
        found = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises no other type
        raise ExportProblem(f"{path} can not be read: {error}") from error
    found.no_truncation()
    found.no_padding()
    return found


def rows(
    tokenizer: tokenizers.Tokenizer, texts: Iterable[str], count: int, longest: int
) -> list[list[int]]:
    """Texts one behind the other as rows of tokens.

    Args:
        tokenizer: of the model; what it puts in front of a text begins each row.
        texts: as many as are needed are read.
        count: of tokens in all, at most.
        longest: tokens of one row.

    Raises:
        ExportProblem: there is no text.
    """
    begin = tokenizer.encode("").ids
    tokens: list[int] = []
    found = []
    for text in texts:
        tokens += tokenizer.encode(text, add_special_tokens=False).ids
        while count and (len(tokens) + len(begin) >= min(longest, count)):
            size = min(longest, count)
            found.append([*begin, *tokens[: size - len(begin)]])
            del tokens[: size - len(begin)]
            count -= size
            if count <= len(begin):
                return found
    if tokens:
        found.append([*begin, *tokens])
    if not found:
        raise ExportProblem("there is no text to compare on", hint="name a file that is not empty")
    return found
