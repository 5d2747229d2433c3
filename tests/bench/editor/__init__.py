"""What somebody at an editor waits for: `make bench-editor [ARGS="--samples 20"]`.

A real server process, spoken to over its pipes; a real daemon with the embedded model in a home of
its own. Times are taken in this process, from before the message is written to after its answer is
read. Nothing is sent while something else still runs (what is computed ahead of an accept, too),
and what is compared takes turns.

    start      `initialize` answered, from the start of the process; in turn with a server of the
               bare protocol library. "First request": from there to a first code action.
    cold       a key (`didChange`) and `textDocument/inlineCompletion`, until the ghost text is
               there, in a file that the engine has not read. Files are pieces of the standard
               library.
    warm       the next key in the same text, which the engine has read.
    cached     a key that is the next letter of the suggestion: no model is asked.
    overhead   warm, less the same request straight through `assistant.client` on the same daemon,
               the engine brought into the same state before each of the two; the two take turns
               at being first. And again on an endpoint that answers at once: what is left then is
               all of the server's own, with no engine's jitter in it.
               "Twice straight" is the same difference between two straight requests: what of it is
               noise.
    cancel     `$/cancelRequest` of a generation at a random moment, until it is answered.
    keystroke  a key and a question that needs nothing, in 20,000 lines and in 20.

What is not in it: what an editor adds (Neovim waits for 200 ms before it asks, and draws), and the
pause of the server's own measure of typing, which is 0 at this pace.

Run it on a machine that does nothing else.
"""
