"""The terminal interface: everything that knows Textual.

Start reading at `app.py`; `turn.py` holds what an answer is while it arrives, the widgets only
show it.
"""
