"""Benchmarks of generated code: data, samples, judging in parallel, statistics. No torch here.

`assistant eval` is `evaluation.evaluate`; the verdict on a program comes from `assistant.checks`,
the two structural scores from `assistant.benchmarks.codebleu`.
"""
