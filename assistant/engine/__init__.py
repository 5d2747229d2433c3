"""All of llama.cpp: the only folder that imports `llama_cpp`.

    library.py    the shared library: version and layout check, log output, clean start
    vocabulary.py text to tokens and back, exactly
    template.py   the model's own chat template, and content that can not inject a role
    context.py    the memory of one conversation: evaluation in chunks, prefix reuse, abort
    sampling.py   greedy, temperature, top-k, top-p, seed
    output.py     stop strings and forced continuations, found as the text grows
    logits.py     the logits of every position, to compare an export with
    engine.py     load, prepare, generate, close

Nothing is imported here: `assistant.engine.types` is light and is what other rooms use;
`assistant.engine.engine` loads the shared library.
"""
