"""The models on this machine: their names, their places, and what their files say."""
