"""The two parts of L = alpha * L_token + beta * L_s: `token.py` and `structural.py`."""
