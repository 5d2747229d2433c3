"""Small chat templates, each with what makes some family of real ones hard."""

from __future__ import annotations

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<|turn|>' + role + '\n' + message['content'] | trim + '<|stop|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn|>model\n' }}{% endif %}"
)
"""Refuses a system message; roles have to alternate; contents are trimmed."""

SILENT = (
    "{% for m in messages if m.role != 'system' %}<|turn|>{{ m.role }}\n{{ m.content }}<|stop|>"
    "{% endfor %}{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
"""Leaves system messages out without a word."""

PARTS = (
    "{% for m in messages %}<|turn|>{{ m.role }}\n"
    "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}"
    "<|stop|>{% endfor %}{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
"""Reads the parts of a content, not texts."""

THINKING = (
    "{% set ns = namespace(last=0) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}"
    "{% endfor %}"
    "{% for m in messages %}<|turn|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and '</think>' in m.content and loop.index0 < ns.last %}"
    "{{ m.content.split('</think>')[-1].lstrip('\n') }}"
    "{% else %}{{ m.content }}{% endif %}<|stop|>{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}{% endif %}"
)
"""Leaves old thinking out, and opens the new."""

CHANNELS = (
    "{% for m in messages %}{% if m.role == 'assistant' %}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>"
    "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
"""The model opens a channel by itself, as gpt-oss does."""

TOOLS = (
    "{%- macro describe(tool) -%}{{ tool | tojson(indent=2) }}{%- endmacro -%}"
    "{%- set date = date_string if date_string is defined else strftime_now('%d %b %Y') -%}"
    "{{- bos_token }}<|turn|>system\nToday: {{ date }}\n"
    "{%- if tools is defined and tools is not none -%}"
    "{%- for tool in tools | list -%}{{ describe(tool) }}{%- endfor -%}{%- endif -%}"
    "{%- for name, value in {'b': 1, 'a': {'k': '<é>'}} | dictsort -%}"
    "{{ name }}={{ value | tojson }};{%- endfor -%}"
    "{%- if not builtin_tools and custom is undefined -%} none{%- endif -%}<|stop|>"
    "{%- for m in messages -%}{%- if m.content is string and m.get('name') is none -%}"
    "<|turn|>{{ m['role'] | upper }}\n{{ m['content'] | trim | default('', true) }}<|stop|>"
    "{%- endif -%}{%- if loop.index > 50 -%}{%- break -%}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|turn|>assistant\n{%- endif -%}"
)
"""Macros, tools that are not there, dates, JSON, dictionaries, loop controls."""

SPECIALS = (
    "<|turn|>", "<|stop|>", "<think>", "</think>",
    "<|start|>", "<|message|>", "<|channel|>", "<|end|>",
)  # fmt: skip
"""Control tokens that these templates write."""
