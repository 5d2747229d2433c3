"""The tests that matter, on this machine's card: `python -m training.gpu_check`.

The suite runs on processors; a card has other kernels, other orders of adding, other memory. So
what a training run relies on is checked again where it is going to run, in a few minutes, before
hours are spent. One line a check, with its numbers; exit code 1 when one fails. `--device cpu`
runs the same checks on a processor (the suite does).

    losses.py     the token loss, every arm of L_s, the placebo
    whole.py      a small model with its adapter: packing, accumulating, resuming, nf4
    models.py     what they compute with
    telling.py    how a check tells what it found

Nothing is downloaded, and nothing is imported but torch, transformers, peft and what they bring.
Deliberately absent: speed (`make bench-train ARGS=--gpu`).
"""
