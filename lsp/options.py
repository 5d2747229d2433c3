"""What an editor may set, in `initializationOptions` or by `workspace/didChangeConfiguration`.

| editor's name | setting |
|---|---|
| `model` | `model` |
| `endpoint` | `endpoint.url` |
| `endpointModel` | `endpoint.model` |
| `maxTokens` | `ask.max_tokens` |

They take the place of flags: over the environment and the user's `config.toml`.
"""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, tuple[str, type]] = {
    "model": ("model", str),
    "endpoint": ("endpoint.url", str),
    "endpointModel": ("endpoint.model", str),
    "maxTokens": ("ask.max_tokens", int),
}

_KIND = {str: "a text", int: "a whole number"}


def flags_from(options: Any) -> tuple[dict[str, Any], list[str]]:
    """The editor's options as dotted settings, and a sentence for each that can not be used.

    Options may stand alone or under the key `assistant`, as editors that send all settings do.
    """
    if options is None:
        return {}, []
    if isinstance(options, dict) and isinstance(options.get("assistant"), dict):
        options = options["assistant"]
    if not isinstance(options, dict):
        return {}, [f"The options must be an object, not {options!r}."]
    flags: dict[str, Any] = {}
    problems = []
    for name, value in options.items():
        dotted, kind = SETTINGS.get(name, ("", object))
        if not dotted:
            problems.append(f"{name} is not an option; there are {', '.join(SETTINGS)}.")
        elif value is not None and type(value) is not kind:
            problems.append(f"{name} must be {_KIND[kind]}, not {value!r}.")
        elif value is not None:
            flags[dotted] = value
    return flags, problems
