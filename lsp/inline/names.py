"""The names of the commands."""

ACCEPTED = "assistant.accepted"
PARTIALLY_ACCEPTED = "assistant.partiallyAccepted"
DISMISSED = "assistant.dismissed"
