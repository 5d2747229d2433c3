"""How one request and its answer are marked for a model: the text around them and the end token.

    own, chatml   <|im_start|>user ... <|im_end|>      models made here, Qwen
    llama3        <|start_header_id|>user ...          Llama 3 Instruct
    plain         ### Request ... ### Answer           base models

A base model has the special tokens of its Instruct sister in the vocabulary, but their embeddings
were never trained; so it is given headings as text, and ends with its own end-of-text token.
The template goes into the GGUF, so that serving writes what training wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(r"<\|[a-z_]+\|>")


@dataclass(frozen=True)
class Chat:
    """The marks of one kind.

    Attributes:
        name: as in the setting `student.chat`.
        opening: special tokens in front of everything, such as the one that begins a text.
        before: what stands before the request.
        between: what stands between request and answer.
        end: the special token that ends an answer.
        template: the same as a Jinja template, for the GGUF; `{{ bos_token }}` is not used.
    """

    name: str
    opening: tuple[str, ...]
    before: str
    between: str
    end: str
    template: str

    @property
    def marks(self) -> tuple[str, ...]:
        """Every special token that it needs, each once."""
        inside = _MARK.findall(self.before + self.between)
        return tuple(dict.fromkeys((*self.opening, *inside, self.end)))

    def prompt(self, request: str) -> str:
        """What the template makes of one user message, generation prompt included."""
        return f"{''.join(self.opening)}{self.before}{request}{self.between}"


_CHATML_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CHATML = Chat(
    "chatml", (), "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>",
    _CHATML_TEMPLATE,
)  # fmt: skip

LLAMA3 = Chat(
    "llama3",
    ("<|begin_of_text|>",),
    "<|start_header_id|>user<|end_header_id|>\n\n",
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|eot_id|>",
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
)


def plain(begin: str, end: str) -> Chat:
    """Headings as text, for a base model.

    Args:
        begin: the special token that begins a text; empty where the model has none.
        end: the one that ends it.
    """
    return Chat(
        "plain",
        (begin,) if begin else (),
        "### Request\n",
        "\n\n### Answer\n",
        end,
        f"{begin}{{% for m in messages %}}{{% if m.role == 'assistant' %}}### Answer\n"
        f"{{{{ m.content }}}}{end}\n{{% else %}}### Request\n{{{{ m.content }}}}\n\n{{% endif %}}"
        "{% endfor %}{% if add_generation_prompt %}### Answer\n{% endif %}",
    )
