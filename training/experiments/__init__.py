"""Sets of training arms over seeds, and the table that says what they show.

    sets.py, world.py, paper.py   which arms there are, and what each asks
    folders.py, degrade.py        stages that arms share; reasoning that is made worse on purpose
    running.py, one_run.py        a set, and one arm with one seed of it, as ordinary run folders
    score.py, benchmarked.py      every answer with its outcome
    sampled.py, nearness.py       answers drawn at a temperature, and their L_s
    inference.py, correlation.py  intervals, tests, what could have been detected
    results.py                    all numbers of a set, as `results.json`
    table.py, page.py, plots.py   the same for people: Markdown, and a page with pictures

`assistant experiments SET` is `running.run_set`, then `results.write`.

Deliberately absent: a search over settings (a table of named questions is read, a search is
believed), several runs at a time (one machine, one run: the times in the table mean something),
and plotting libraries (a page of text and lines needs none).
"""
