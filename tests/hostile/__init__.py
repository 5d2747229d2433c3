"""Hostile programs, judged in every layer of isolation that the machine has.

`python -m tests.hostile` judges them all, `python -m tests.hostile.mutations` switches off what
holds them, one defence at a time. Never run one outside of a sandbox by hand.
"""
