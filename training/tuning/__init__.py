"""Tuning with LoRA under alpha * L_token + beta * scale * L_s: our own short loop.

    stage.py       the stage `adapter`, to be read from top to bottom
    examples.py    which documents are learned        plan.py       which of them make a step
    batch.py       documents as tensors, padded or packed end to end
    attention.py   packed documents do not see each other
    tuned.py       the model with its adapter on its device: precision, recomputation, shards
    lora.py        the adapter: kinds, targets, the files that PEFT reads
    fused.py       its product in fewer passes over memory than peft's
    objective.py   both losses of a step and their gradients
    validation.py  the loss on unseen problems, and answers to read
    machine.py     the device, and the processes that share a step, by accelerate
    sharding.py    frozen weights cut over several cards (FSDP)
    memory.py      what to set when the memory does not suffice
    records.py     versions, trackers, the picture of a run
    configs/       for `accelerate launch`: DDP, FSDP, DeepSpeed

Deliberately absent: full fine-tuning, an adapter on the head or the embedding (both losses read
the head as it is), and a scheduler or data loader of a library: the number of the step says both.
"""
