"""What editors know it by: kinds of code actions, commands, the scheme of its documents."""

REWRITE = "refactor.rewrite"
QUICKFIX = "quickfix"
EXPLAIN = "refactor.explain"
KINDS = (QUICKFIX, REWRITE, EXPLAIN)

SCHEME = "assistant"

GENERATE = "assistant.generate"
ACCEPT = "assistant.accept"
REJECT = "assistant.reject"
VERIFY = "assistant.verify"
CANCEL = "assistant.cancel"
REASONING = "assistant.reasoning"
CONTEXT = "assistant.context"
