"""The hostile and harmless programs of the project."""

from tests.hostile.corpus import (
    apart,
    channel,
    ending,
    kernel,
    left,
    probes,
    reaching,
    reading,
    resources,
    tamper,
    text,
    timing,
    values,
    walls,
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
    walls,
    left,
    apart,
)
PROGRAMS = tuple(program for group in _GROUPS for program in group.PROGRAMS)
