"""All of llama.cpp: the only folder that imports `llama_cpp`.

    library.py    the shared library: version and layout check, log output, clean start
    vocabulary.py text to tokens and back, exactly
    template.py   the model's own chat template, and content that can not inject a role
    context.py    the memory of one conversation: evaluation in chunks, prefix reuse, abort
    rows.py       the logits of one row, where llama.cpp keeps them
    sampling.py   the next token: greedy, temperature, top-k, top-p, min-p, seed
    penalties.py  for what was said already
    pieces.py     the vocabulary sorted by bytes
    healing.py    prompts that end in the middle of a word
    schema.py     JSON schemas as grammars
    gbnf.py       the notation of grammars, rules.py and utf8.py what it is read into
    automaton.py  what a grammar allows next, remembered; grammar.py: the tokens of that
    lookup.py     guesses of the next tokens; speculation.py: how many of them pay
    probabilities.py how sure the model was
    output.py     stop strings and forced continuations, found as the text grows
    logits.py     the logits of every position, to compare an export with
    engine.py     load, prepare, generate, close

Nothing is imported here: `assistant.engine.types` is light and is what other rooms use;
`assistant.engine.engine` loads the shared library.
"""
