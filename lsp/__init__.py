"""The language server: everything in this project that knows the Language Server Protocol.

`lsp.server.main` speaks it on stdin and stdout. The modules below it, from the inside out:

    text.py        lines, offsets and positions of an immutable text
    documents.py   the open documents, their versions and what changed between versions
    blocks.py      the function that a line belongs to, whether or not the text parses
    stubs.py       finds functions that have a description but no body
    reply.py       takes a model's answer apart and refuses what does not fit the stub
    edits.py       turns a body (and its imports) into the text edits of one document
    wire.py        frames on stdin and stdout
    protocol.py    one response for each request, whatever its parameters
    progress.py    work-done progress of one task, and its cancel button
    names.py       names that the code of a document may use
    options.py     what an editor may set
    implement.py   the command: task, stream, check
    apply.py       its result as one edit of the version that it is for
    actions.py     the code action that offers the command
    server.py      puts the parts together
"""
