"""What the server knows of Python code: text in, offsets out; no protocol, no model.

blocks.py   the function that a line belongs to, whether or not the text parses
stubs.py    functions that have a description but no body
reply.py    a model's answer taken apart; what does not fit is refused
edits.py    a body (and its imports) as text edits of one document
names.py    names that the code of a document may use
"""
