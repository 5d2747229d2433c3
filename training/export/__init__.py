"""From a checkpoint and an adapter to a GGUF file, tensor by tensor, and the proof of it.

    request      what a person asks of an export, and what is refused before it begins
    telling      what it will make, and what is to be expected; command: the whole way
    checkpoint   safetensors: shapes without reading, rows without the rest
    adapter      what an adapter of PEFT does to which tensor
    merging      base and adapter as one model, rows of it in float32
    families     kinds of models: llama.cpp's names of their tensors, order of rows, settings
    rotary       their rotary positions
    vocabulary   a tokenizer.json in llama.cpp's words; with splitting, pieces, specials
    metadata     what a file says of itself; lineage: where its model comes from
    types        how matrices are stored; content: everything that goes into a file
    layout       where it lies in the file; encoding: values as bytes
    writing      the file, block of rows by block, gone on with where it was left
    record       how far it is; space: is there room for it
    making       from the content to the file, through llama.cpp's quantiser where it is needed
    importance   how much each column counts, for types that round some weights more exactly
    adapter_gguf an adapter as a file of its own
    folder       the merged model for transformers
    reference    what the model computes, one layer of it in memory
    verifying    how far a file is from that; gates: how far it may be, by type
    identity     texts, prompts and ends: the same in the file; samples: texts to see it on
    proof        all of that in a report beside the file

Absent: llama.cpp (`assistant.engine` runs and quantises), the stages of a recipe (`training.merge`,
`training.gguf_export` call what is here), and any model that is in memory as a whole.
"""
