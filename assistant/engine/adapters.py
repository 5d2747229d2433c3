"""Attach adapters to a model that llama.cpp has loaded.

Before its context is made: the size of the compute graph counts the adapters that are there by
then. They are freed with the model.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.engine import library
from assistant.errors import EngineProblem, ModelProblem
from assistant.models import adapters
from assistant.models.gguf import Header

Loaded = tuple[Any, float]
"""A `llama_adapter_lora *`, and by how much it counts."""


def load(lib: Any, model: Any, base: Header, chosen: Sequence[tuple[Path, float]]) -> list[Loaded]:
    """Read adapters into the memory of a model.

    Args:
        lib: the checked library.
        model: a loaded `llama_model *` that has no context yet.
        base: its header.
        chosen: files, and by how much each counts; 1 is what it was trained with.

    Raises:
        ModelProblem: a file is broken, or is no adapter for this model.
    """
    found = []
    for path, scale in chosen:
        adapters.check_fits(adapters.read(path), base)
        library.errors_of_library()
        pointer = lib.llama_adapter_lora_init(model, os.fsencode(path))
        if not pointer:
            raise ModelProblem(
                f"llama.cpp can not attach {path} to {base.path.name}: "
                f"{library.errors_of_library() or 'no reason given'}.",
                hint="Make it again from the adapter of the training: assistant export "
                "--adapter-only",
            )
        found.append((pointer, scale))
    return found


def attach(lib: Any, context: Any, loaded: Sequence[Loaded]) -> None:
    """Let every call of a context compute with the adapters.

    Raises:
        EngineProblem: llama.cpp refuses.
    """
    if not loaded:
        return
    count = len(loaded)
    pointers = (lib.llama_adapter_lora_p_ctypes * count)(*(pointer for pointer, _ in loaded))
    scales = (ctypes.c_float * count)(*(scale for _, scale in loaded))
    if (code := lib.llama_set_adapters_lora(context, pointers, count, scales)) != 0:
        raise EngineProblem(f"llama_set_adapters_lora failed with code {code}.")
