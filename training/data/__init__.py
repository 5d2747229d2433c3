"""Problems from data sets and from the user's own code, in one form.

    problem.py          the record that every later stage reads, one JSON object a line
    rows.py             a row as a source gives it, or the reason why it can not be used
    folder.py, hub.py   files of rows on this machine, and how they get here
    sources.py          one function that opens any source by its name
    functions.py, text.py    what code and statements are reduced to before they are compared
    making.py, report.py    the whole way for the stage `problems`, and what it tells
    taco.py, code_contests.py, mbpp.py, code_search_net.py, own_code.py (own_tests.py)
    funnel.py           which rows become problems: steps in a fixed order, each one counted
    duplicates.py, decontamination.py, lengths.py, reference.py, verdicts.py, verified.py: its steps

Deliberately absent: torch; any repair of a row (it is used as it is, or counted and left out);
network access other than the download of the data set that the user chose.
"""
