"""The names of the commands."""

GENERATE = "assistant.generate"
ACCEPT = "assistant.accept"
REJECT = "assistant.reject"
VERIFY = "assistant.verify"
CANCEL = "assistant.cancel"
REASONING = "assistant.reasoning"
CONTEXT = "assistant.context"
