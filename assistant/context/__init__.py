"""What a model is told beside the request: parts of other files, within a budget of tokens."""
