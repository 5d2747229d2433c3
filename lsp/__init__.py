"""The language server: everything in this project that knows the Language Server Protocol.

`lsp.server.main` speaks it on stdin and stdout. The modules below it, from the inside out:

    lines.py       where lines begin, kept up to date edit by edit
    text.py        lines, offsets and positions of an immutable text
    changes.py     what an editor changed, in offsets of the text before
    documents.py   the open documents, their versions and what changed between versions
    python/        what is known of Python code: functions, stubs, answers, edits
    wire.py        frames on stdin and stdout
    protocol.py    one response for each request, whatever its parameters
    logs.py        what is logged, and that it holds no text of anybody
    progress.py    work-done progress of one task, and its cancel button
    options.py     what an editor may set
    configuration.py  where it says so: at the start, when asked, when it changes
    engine.py      the connection to a model
    context.py     what a model is told of the rest of the project
    later.py       what is imported after `initialize`
    reasons.py     why nothing was shown
    inline/        completions at the cursor
    generate/      code with reasoning, on request
    status/        how the assistant is, and the commands that change it
    server.py      puts the parts together
    clients/       VS Code and Neovim
"""
