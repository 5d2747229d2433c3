"""All of llama.cpp: the only folder that imports `llama_cpp`.

    library.py    the shared library: version and layout check, log output, clean start
    vocabulary.py text to tokens and back, exactly
    template.py   the model's own chat template, and content that can not inject a role
    engine.py     load, prepare, start, close
    scheduler.py  who is served next: classes, aborts, cancels; one thread
    lane.py       the requests of one model, and what is made of a call's outcome
    admission.py  who has a sequence, and who gives one up
    planning.py   what goes into the next call (call.py)
    running.py    the state of one request
    cache.py      sequences that are kept and shared, and the cells they take
    context.py    the memory of all sequences, and the decode call
    pace.py       how many rows a call may have
    rows.py       the logits of one row, where llama.cpp keeps them
    sampling.py   the choice of a token; penalties.py, probabilities.py: how sure the model was
    gbnf.py       the notation of grammars, rules.py and utf8.py what it is read into
    automaton.py  what a grammar allows next, remembered; grammar.py: the tokens of that
    schema.py     JSON schemas as grammars
    healing.py    prompts that end in the middle of a word; pieces.py: the bytes of all tokens
    stash.py      finished sequences outside of the context
    lookup.py     guesses of the next tokens; speculation.py: whether they pay
    output.py     stop strings, forced continuations and the end of reasoning
    logits.py     the logits of every position, to compare an export with; words.py: its
                  vocabulary and chat template

Nothing is imported here: `assistant.engine.types` is light and is what other rooms use;
`assistant.engine.engine` loads the shared library.
"""
