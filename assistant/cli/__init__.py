"""The command line: one module per command, and `main`, which chooses among them.

A command module has `add_parser(subparsers)` and `run(args) -> int`, the exit code. It imports
nothing heavy before `run`, so that `--help` is quick and needs no extra installed.

stdout belongs to what was asked for; progress, reasoning and errors go to stderr.
"""
