"""The two parts of L = alpha * L_token + beta * scale * L_s, and what weighs them.

    token.py        L_token, chunk by chunk: the full logits are never in memory
    structural.py   L_s and its arms        policy.py, projection.py   the two arms that are others
    alignment.py    student tokens and encoder pieces: who owns what, and the matrix between them
    encoders.py     what turns a program into a vector        pooling.py   how, and centred at what
    windows.py      programs longer than the encoder          balance.py   gradient norms, scale

Deliberately absent: generating freely while training (the policy gradient samples at the places
of the reference), and anything that runs code: L_s looks, it does not execute.
"""
