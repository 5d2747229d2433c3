"""All checks in turn: `python -m training.gpu_check [--device cpu|cuda]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

# Before the first product on a card: with it cuBLAS adds in the same order every time.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch

from training.gpu_check import losses, whole
from training.gpu_check.telling import Failed, Skipped

CHECKS: tuple[tuple[str, Callable[[torch.device], str]], ...] = (
    ("token loss = plain", losses.token_loss_as_plain),
    ("token loss, memory", losses.token_loss_memory),
    ("L_s arms = float64", losses.arm_gradients),
    ("L_s soft = differences", losses.soft_differences),
    ("placebo = token loss", losses.placebo_is_token_loss),
    ("packed = separate", whole.packed_as_separate),
    ("fused = peft", whole.fused_as_peft),
    ("accumulated = one batch", whole.accumulated_as_one),
    ("resumed = straight", whole.resumed_as_straight),
    ("nf4", whole.nf4),
)


def run(device: torch.device) -> bool:
    """Make all checks and print a line for each; whether none failed."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    good = True
    for name, check in CHECKS:
        started = time.perf_counter()
        try:
            mark, text = "ok", check(device)
        except Skipped as why:
            mark, text = "skipped", str(why)
        except Failed as why:
            mark, text = "FAILED", str(why)
        except Exception as error:  # a kernel that is not there fails its check, not the others
            mark, text = "FAILED", f"{type(error).__name__}: {str(error).splitlines()[:1]}"
        good = good and mark != "FAILED"
        seconds = time.perf_counter() - started
        _say(f"{mark:<8} {name:<24} {text} [{seconds:.1f} s]")
    torch.use_deterministic_algorithms(before)
    return good


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """0 when no check failed."""
    parser = argparse.ArgumentParser(prog="python -m training.gpu_check", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda (default) or cpu")
    device = torch.device(parser.parse_args(argv).device)
    if device.type == "cuda" and not torch.cuda.is_available():
        _say("no CUDA card is here; --device cpu makes the same checks")
        return 1
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    _say(f"torch {torch.__version__} on {where}")
    good = run(device)
    _say("all checks passed" if good else "checks FAILED: do not train on this machine")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
