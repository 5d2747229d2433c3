"""What a model is told beside the request: parts of other files, within a budget of tokens.

    project.py      which folder is the project of a file, and what a file is called in it
    rules.py        .gitignore and .ignore, as git reads them
    ignoring.py     may a file be read? Nothing else here opens a file of the user's
    outline.py      the imports and definitions of a Python file, bodies cut
    modules.py      the files of a project that an import means
    definitions.py  what is reachable from a place: imports that it uses, definitions beside it
    ring.py         chunks of files that were open or edited lately
    mentions.py     `@path` and `@path:function` in a request
    budget.py       how many tokens there are for all of it, who counts them, what has to stay out
    gather.py       all of it together, for a place in a file or for the mentions in a request
    explain.py      exactly what was sent, in words

Nothing of the user's is imported or executed.
"""
