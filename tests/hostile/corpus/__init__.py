"""The hostile and harmless programs of the project."""

from tests.hostile.corpus import (
    channel,
    ending,
    kernel,
    probes,
    reaching,
    reading,
    resources,
    tamper,
    text,
    timing,
    values,
    writing,
)

_GROUPS = (
    values,
    channel,
    tamper,
    ending,
    text,
    timing,
    resources,
    reading,
    writing,
    reaching,
    kernel,
    probes,
)
PROGRAMS = tuple(program for group in _GROUPS for program in group.PROGRAMS)
