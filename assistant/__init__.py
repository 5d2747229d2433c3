"""The core: everything about a request that is neither a protocol, a widget nor a tensor.

Here live the completion format and its events, tasks and prompts, the engine and its daemon,
the client, the checks, the model store and the command line.

Deliberately absent: the Language Server Protocol (`lsp/`), Textual (`tui/`) and torch
(`training/`). Nothing here imports those rooms except the command line, lazily, by entry.
"""

__version__ = "0.1.0"
