"""Teachers: who writes the reasoning that the student learns, and everything about asking them.

    program.py    explains the problems of the world that is made here; asks nobody
    prompts.py    what a model is asked, by name; agents.py has the chains of several turns
    sections.py   strict reading of the answer
    dialogue.py   from a problem to accepted reasoning: a generator of calls, knows no network
    calls.py      a call, its answer, and the key of both
    records.py    answers that are paid for, in an append-only file
    protocol.py   what a way to a teacher does, and by what names it fails
    endpoint.py   a way: HTTP; local.py: the engine daemon; batch.py: files out and in
    limits.py     requests and tokens a minute, back-off, on a clock that can be virtual
    meter.py      tokens, money and time
    estimates.py  what it will cost before it is asked
    pool.py       many calls at once, with patience
    select.py     k samples: all, first, passing
    asking.py     all of it together, for the stage `contexts`

Deliberately absent: n answers in one request (one of them failing would cost the others; servers
share the prompt's cache between requests anyway), and tool calls.
"""

from __future__ import annotations

from training.teachers.program import ProgramTeacher

__all__ = ["ProgramTeacher"]
