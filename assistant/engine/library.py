"""The shared library: is it the one this code was written against, and is it quiet?

llama-cpp-python maps C structs by hand and their layout changes between releases. A wrong
layout does not fail, it reads garbage; so the version is pinned and a few defaults, spread over
the structs, are compared before anything else is done.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import importlib.metadata
import logging
import os
from typing import Any

from assistant.errors import EngineProblem

PINNED_VERSION = "0.3.36"

_CONTEXT_DEFAULTS = {"n_batch": 2048, "n_ubatch": 512, "flash_attn_type": -1, "type_k": 1}
_QUANTIZE_DEFAULTS = {
    "nthread": 0, "ftype": 7, "quantize_output_tensor": True, "dry_run": False,
    "max_buf_size": 8 << 30,
}  # fmt: skip
_MODEL_DEFAULTS = {"n_gpu_layers": -1, "split_mode": 1, "vocab_only": False}

# ggml_log_level: DEBUG 1, INFO 2, WARN 3, ERROR 4, CONT 5 (goes on with the previous level).
_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.WARNING, 4: logging.ERROR}
_CONTINUES = 5
# What it calls errors when a decode call was aborted as we asked.
_ABORTED = ("with error 1", "compute status: 1", "ret = 2")
_ABORT_FOLLOWS = "removing memory module entries"
# Of no interest: no sequence gets longer than what the model was trained for, all together may.
_TOGETHER = "possible training context overflow"
# Once for each matrix of an adapter, when those of the model are stored in another order.
_BESIDE = "fallback to CPU"
_OF_NO_INTEREST = (_ABORT_FOLLOWS, _TOGETHER, _BESIDE)

log = logging.getLogger(__name__)


@functools.cache
def llama() -> Any:
    """The low-level functions of llama-cpp-python, checked and silenced, once a process.

    Raises:
        EngineProblem: the library is missing, broken, or another version.
    """
    # Without it an assertion of ggml forks a debugger to print a backtrace. Read at that time.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    # Threads that wait for each other look a few thousand times and then sleep. To sleep at once
    # costs a third of the speed; to look for milliseconds, as is the default, takes the core from
    # the one that is waited for: beside a busy core 1,640 ms a token instead of 28 (docs/log.md).
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        import llama_cpp.llama_cpp as lib
    except ImportError as error:
        raise EngineProblem(
            f"llama.cpp is not installed ({error}).",
            hint="Install the engine with: pip install 'assistant[local]' (or configure an "
            "external endpoint).",
        ) from error
    except (OSError, RuntimeError) as error:
        raise EngineProblem(
            f"llama.cpp is installed and can not be loaded: {error}.",
            hint="Build it again on this machine: "
            f"pip install --force-reinstall --no-deps llama-cpp-python=={PINNED_VERSION}",
        ) from error
    _check_version()
    _check_layout("llama_context_params", lib.llama_context_default_params(), _CONTEXT_DEFAULTS)
    _check_layout("llama_model_params", lib.llama_model_default_params(), _MODEL_DEFAULTS)
    lib.llama_log_set(_log_callback(lib), ctypes.c_void_p(0))
    lib.llama_backend_init()
    return lib


def quantisation() -> Any:
    """How llama.cpp makes a model smaller, to be filled in: a `llama_model_quantize_params`.

    Raises:
        EngineProblem: the library is missing, broken, or another version.
    """
    params = llama().llama_model_quantize_default_params()
    _check_layout("llama_model_quantize_params", params, _QUANTIZE_DEFAULTS)
    return params


def errors_of_library() -> str:
    """What llama.cpp logged as errors since the last call, the first (the cause) first."""
    lines = "; ".join(_errors)
    _errors.clear()
    return lines


_errors: collections.deque[str] = collections.deque(maxlen=4)


def _check_version() -> None:
    version = importlib.metadata.version("llama-cpp-python")
    if version != PINNED_VERSION:
        raise EngineProblem(
            f"llama-cpp-python {version} is installed; this release works with "
            f"{PINNED_VERSION} only (the layout of its structs changes between releases).",
            hint=f"Install it with: pip install llama-cpp-python=={PINNED_VERSION}",
        )


def _check_layout(name: str, params: Any, expected: dict[str, int | bool]) -> None:
    found = {field: getattr(params, field) for field in expected}
    if found != expected:
        raise EngineProblem(
            f"The layout of {name} in llama.cpp is not the expected one: {found} instead of "
            f"{expected}. The shared library and its Python binding do not belong together.",
            hint="Reinstall: pip install --force-reinstall --no-deps "
            f"llama-cpp-python=={PINNED_VERSION}",
        )


@functools.cache
def _log_callback(lib: Any) -> Any:
    """A C function that sends llama.cpp's lines to `logging`; kept alive by the cache."""
    level = logging.DEBUG

    def write(ggml_level: int, text: bytes, _data: object) -> None:
        nonlocal level
        if ggml_level != _CONTINUES:
            level = _LEVELS.get(ggml_level, logging.DEBUG)
        line = text.decode("utf-8", "replace").strip()
        if not line.strip("."):  # loading prints a row of dots
            return
        if line.endswith(_ABORTED) or any(part in line for part in _OF_NO_INTEREST):
            log.debug("%s", line)
            return
        log.log(level, "%s", line)
        if level == logging.ERROR:
            _errors.append(line)

    return lib.llama_log_callback(write)
