"""How the models of this project are made; everything that knows torch.

The way of a run (`chain.py`): problems, contexts, tokenizer, base, encoder, adapter, merge, gguf,
evaluate, card, install; for a pretrained student the stage `student` stands for tokenizer and base.
Each is a stage: a function that reads and writes files in one folder.
"""
