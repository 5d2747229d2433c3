"""What the server knows of Python code: text in, offsets out; no protocol, no model.

blocks.py      the function that a line belongs to, whether or not the text parses
stubs.py       functions that have a description but no body
reply.py       a model's answer taken apart; what does not fit is refused
functions.py   an answer that holds a function in a new version, or other lines
docstrings.py  an answer's docstring, put below the head of a function
testing.py     an answer's tests, put into their file
strings.py     lines that begin inside a string
edits.py       a body (and its imports) as text edits of one document
"""
