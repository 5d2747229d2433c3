"""What `assistant doctor` says of the sandbox: which layers hold here, and how to get one."""

from __future__ import annotations

from assistant.doctor import Finding, State, ok
from assistant.sandbox.layers import of_this_system, tried_anew

_WITHOUT = "no layer works, so code is offered without having been run, and its verdict says so"


def sandbox_finding() -> Finding:
    """Start a sandbox in each layer, whatever is remembered, and tell what came of it."""
    found = tried_anew()
    working = [layer.value for layer, why in found.items() if why is None]
    # Each reason ends with the way out, as far as one is known.
    failing = [f"{layer.value}: {found[layer]}" for layer in of_this_system() if found[layer]]
    if not working:
        advice = failing or ["There is no layer for this system: use Linux, in a virtual machine."]
        return Finding(State.WARNING, _WITHOUT, "\n".join(advice))
    message = f"checks run in {working[0]}, which was tried just now"
    if working[1:]:
        return ok(f"{message}; {', '.join(working[1:])} would work, too")
    return Finding(State.OK, message, "\n".join(failing))
