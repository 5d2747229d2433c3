"""Several teachers in a row: planner, critic, writer.

The paper names the "sequential collaboration of a set of agents" as an open question. Here each
agent is a turn of a template: one call with one record, which reads what those before it wrote.
All agents are the same model; they differ in what they are told. Only the last one's answer
becomes reasoning, so only it is held to the four sections.
"""

from __future__ import annotations

from training.teachers.prompts import EXPLAIN, TASK, Template, Turn

_PLANNER = Turn(
    "planner",
    "You plan how to solve a programming task. Say in at most 15 lines which algorithm and data "
    "structures to use and why, what it costs, and which inputs need care. No code.",
    TASK,
)
_CRITIC = Turn(
    "critic",
    "You look for mistakes in a plan for a programming task: misread requirements, wrong "
    "results for small or extreme inputs, too slow for the limits. Try the plan on two inputs of "
    "your own, one of them an extreme. List each mistake with its correction, at most 10 lines; "
    "write 'No mistakes.' when there is none. No code.",
    f"{TASK}\n\nPlan:\n{{planner}}",
)
_WRITER = Turn(
    "writer",
    EXPLAIN,
    f"{TASK}\n\nA colleague's plan:\n{{planner}}\n\nWhat a reviewer says about it:\n{{critic}}"
    "\n\nWrite the reasoning for the corrected plan; do not mention colleague or reviewer.",
)

CHAINS = (
    Template("agents", "planner, critic and writer, one after the other",
             (_PLANNER, _CRITIC, _WRITER)),
    Template("planner-writer", "the same without the critic", (
        _PLANNER,
        Turn("writer", EXPLAIN, f"{TASK}\n\nA colleague's plan:\n{{planner}}"
             "\n\nWrite the reasoning for this plan; do not mention the colleague."),
    )),
)  # fmt: skip
