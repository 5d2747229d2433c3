"""From base and adapter to a quantised GGUF, ours beside the usual way: `make bench-export`.

    model.py      a base of Llama-3.1-8B's shape with random weights, and an adapter: files on disk
    peer.py       the usual way's tools: converter, its environment, llama.cpp's quantiser
    merge.py      the usual way's first step, as peft's documents have it
    sides.py      the steps of both sides
    measuring.py  a command, and what it and all that it starts use meanwhile
    cold.py       no file of the bench is in the page cache when a side begins
    space.py      what disk and memory have to hold, and whether they do
    kept.py       what each side's F16 file holds, against the exact sum of base and adapter
    report.py     tables, ratios, aims: out/bench-export.md and out/bench-export.json

What is compared, from the same base (bfloat16, four files) and the same rsLoRA adapter of rank 32
on all seven linear layers, to F16 and then to Q4_K_M:

    usual   AutoModelForCausalLM in bfloat16, PeftModel, merge_and_unload, save_pretrained; then
            convert_hf_to_gguf.py --outtype f16 from the source release that the pinned
            llama-cpp-python was built from; then llama-quantize, built from the same source.
    ours    assistant export --type F16; and, as a command of its own that begins at the base
            again, assistant export --type Q4_K_M.

The usual way is run as a person would: step after step, with what the step before has left in the
page cache. Each side begins cold, and its files are deleted before the next begins. Building
llama-quantize and installing are not counted; starting Python and importing are.

How each number is made:
    seconds    from the start of a command to its end, by the clock. What it has left to the kernel
               to write is not waited for, on either side; how long that takes is told apart.
    anonymous  RssAnon and VmSwap of the process and all its descendants, added up every 20 ms; the
               highest sum. Memory that two of them share is counted twice. Files that are mapped
               are not in it: the kernel can drop them. A process that lives less than a fifth of a
               second may be missed.
    resident   the same with all pages, mapped files too.
    read, written   what went to and came from the disk for the process and its descendants, of
               which it waited for the end (rusage); what was in the page cache is not read.
    change lost     the rms of (matrix in the file - exact matrix), over the rms of what the adapter
               adds, on some rows: exact is float64. That of rounding alone is not nothing.

Disk: 49 GB at the widest, for the whole shape. ARGS="--layers 2" is a small trial.

Deliberately absent: anything that asserts a time; a repeat (a run takes half an hour).
"""
