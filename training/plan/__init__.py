"""What a run will do and cost, before it starts: `assistant train RECIPE --dry-run`.

    resolving.py    the settings of a run, and where each comes from
    describing.py   what is printed: settings, plan, estimates
    costs.py        the estimates of every stage, each with its formula
    corpus.py       how many problems, examples and tokens there will be
    shapes.py       the matrices of the student: from its config.json, or from a table
    memory.py       what tuning holds in memory at once
    speed.py        floating-point operations, and how many a second
    tuning.py       what tuning trains and takes of a graphics card
    scratch.py      the chain from nothing, on a processor
    numbers.py      a number with its formula

Every number has its formula beside it, and what is assumed is called so. Deliberately absent:
torch, any request over a network, and anything that is written.
"""

from __future__ import annotations

from training.plan.costs import estimates
from training.plan.describing import describe, stages
from training.plan.numbers import Estimate
from training.plan.resolving import changed, resolve

__all__ = ["Estimate", "changed", "describe", "estimates", "resolve", "stages"]
