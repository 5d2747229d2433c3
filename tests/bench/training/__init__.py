"""Tuning at the 8B shape, ours against TRL's SFTTrainer with peft: `make bench-train`.

    work.py       the shape, and the FLOPs that a step needs: counted, not measured
    rows.py       synthetic examples with the paper's lengths, the same for both sides
    models.py     the model with random weights, the adapter's first weights, a CodeBERT
    measure.py    seconds, peak memory, what the machine's matrix products reach
    side_ours.py  our step, as training does it      side_trl.py  SFTTrainer's, by its own loop
    lines.py      the two sides are processes that do a step when they are told to
    peer.py       installs TRL on first use          gpu.py       the whole 8B shape on one card
    report.py     the table and out/bench-train.json

What is compared: LoRA of rank 32 on all seven linear layers of a slice of Llama-3.1-8B (two
layers, all widths and the 128,256-token vocabulary as in the real one; random weights), the same
examples in the same step, loss on the answer alone, AdamW at the same rate, bfloat16 weights, no
gradient checkpointing. Both sides pack: TRL by its strategy `bfd`, padding-free. Each side is a
process of its own; they take turns, step by step, and so does who is first. Medians count; every
single value is in the file.

Both have to tell the same loss before the first step (within 0.01), count the same tokens and
train as many weights: else the run stops, as it would not be the same work.

Tokens are all that go through the model, prompts included. The MFU is told of the FLOPs that the
mathematics needs (`work.py`): what a side computes twice, or for nothing, does not count. Peak
memory is the process's (VmHWM, set back before the steps; on a card torch's own count).

L_s: what it adds to a step, measured on the losses alone with the arm on and off, with CodeBERT's
shape (12 layers, width 768, 50,265 pieces; random weights) and the top 64 tokens. Its share is
told of the slice's step, and of that step with the layers' part scaled to 32 layers: that number
is computed, not measured.

Deliberately absent: anything that asserts a time.
"""
