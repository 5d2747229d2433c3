"""What an editor may set, in `initializationOptions` or by configuration.

| editor's name | setting |
|---|---|
| `model` | `model` |
| `inlineModel` | `inline_model` |
| `endpoint` | `endpoint.url` |
| `endpointModel` | `endpoint.model` |
| `maxTokens` | `ask.max_tokens` |

They take the place of flags: over the environment and the user's `config.toml`; an empty text or
0 says nothing, as editors send their defaults, too. What only an editor can want is in `Features`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

SETTINGS: dict[str, tuple[str, type]] = {
    "model": ("model", str),
    "inlineModel": ("inline_model", str),
    "endpoint": ("endpoint.url", str),
    "endpointModel": ("endpoint.model", str),
    "maxTokens": ("ask.max_tokens", int),
}


CLIENTS_OWN = frozenset({"path", "showReasoning", "trace"})
"""What our clients keep in the same section for themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the server does in this editor; the names are the editor's, too."""

    inline: bool = True
    """Suggest completions while somebody types."""
    completion: bool = False
    """Offer them in the editor's list of completions as well, for editors without ghost text."""
    context: bool = True
    """Tell the model of imported and open files; ignored and secret ones never."""
    repair: bool = True
    """When the check of generated code fails, try once more before it is offered."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an editor has set."""

    flags: dict[str, Any]
    """Dotted settings."""
    features: Features
    problems: tuple[str, ...] = ()
    """A sentence for each option that can not be used."""


_KIND = {str: "a text", int: "a whole number", bool: "true or false"}
_FEATURES: dict[str, type] = {one.name: bool for one in fields(Features)}


def read_options(options: Any) -> Options:
    """The editor's options; they may stand alone or under the key `assistant`."""
    if options is None:
        return Options({}, Features())
    if isinstance(options, dict) and isinstance(options.get("assistant"), dict):
        options = options["assistant"]
    if not isinstance(options, dict):
        problem = f"The options must be an object, not {options!r}."
        return Options({}, Features(), (problem,))
    flags: dict[str, Any] = {}
    features: dict[str, Any] = {}
    problems = []
    for name, value in options.items():
        dotted, kind = SETTINGS.get(name, ("", _FEATURES.get(name, object)))
        if name in CLIENTS_OWN:
            continue
        if kind is object:
            known = ", ".join([*SETTINGS, *_FEATURES])
            problems.append(f"{name} is not an option; there are {known}.")
        elif value is not None and type(value) is not kind:
            problems.append(f"{name} must be {_KIND[kind]}, not {value!r}.")
        elif dotted and value:
            flags[dotted] = value
        elif not dotted and value is not None:
            features[name] = value
    return Options(flags, Features(**features), tuple(problems))
