"""`assistant export`: base and adapter as one GGUF file."""

from __future__ import annotations

import argparse
from pathlib import Path

from assistant.errors import AssistantError, UsageProblem

_EPILOG = """\
The base is a folder as transformers saves it (config.json, tokenizer.json, *.safetensors), the
adapter one as PEFT saves it (LoRA, rsLoRA, DoRA). Base and adapter are merged in float32, block of
rows by block of rows: an 8B model takes about a gigabyte of memory. Ctrl-C and kills lose nothing:
the same command goes on.

types: F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0 are written directly; Q6_K, Q5_K_M, Q4_K_M and
others by llama.cpp's quantiser, from a file in float16 that is deleted at the end; safetensors
is a folder for transformers, in the type of the base.

examples:
  assistant export --base Llama-3.1-8B --adapter runs/paper/adapter --type Q4_K_M --dry-run
  assistant export --base Llama-3.1-8B --adapter runs/paper/adapter --out mine.gguf --type Q4_K_M
  assistant export --base Llama-3.1-8B --out models/ --type Q8_0 --split-size 4G --verify
  assistant export --base Llama-3.1-8B --adapter runs/paper/adapter --adapter-only --out mine.gguf
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "export",
        help="merge an adapter into its base, as a GGUF file",
        description="Merge an adapter into its base and write a GGUF file, on a small machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--base", metavar="DIR", type=Path, required=True, help="the folder of the model")
    add("--adapter", metavar="DIR", type=Path, help="the folder of the adapter")
    add("--adapter-only", action="store_true",
        help="write the adapter alone, to be served with a base in GGUF (BASE.gguf+ADAPTER.gguf)",
    )  # fmt: skip
    add("--out", metavar="FILE.gguf", type=Path,
        help="the file, or a folder for it (default: NAME-TYPE.gguf here)",
    )  # fmt: skip
    add("--type", metavar="TYPE", default="",
        help="how matrices are stored, see below (default: Q8_0; an adapter alone: F32)",
    )  # fmt: skip
    add("--name", metavar="NAME", default="", help="the model's name in the file")
    add("--licence", metavar="ID", default="", help="its licence, where the base does not say")
    add("--split-size", metavar="SIZE", default="", help="size of one file, about, such as 4G")
    add("--imatrix-text", metavar="FILE", type=Path,
        help="text that says which weights matter, for the quantiser",
    )  # fmt: skip
    add("--verify", action="store_true",
        help="compare the file with the torch model, and keep a report beside it",
    )  # fmt: skip
    add("--verify-text", metavar="FILE", type=Path, help="the text to compare them on")
    add("--threads", metavar="N", type=int, default=0, help="default: every core")
    add("--dry-run", action="store_true",
        help="say what would be made, how large and how good; write nothing",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the command; the exit code."""
    if args.threads < 0:
        raise UsageProblem(f"--threads {args.threads}: at least 1 is needed")
    from assistant.engine.engine import available_threads

    try:
        from training.export import command, request, telling
    except ModuleNotFoundError as error:
        raise AssistantError(
            f"the export needs {error.name}, which is not installed",
            hint="pip install 'assistant[train,local]'",
        ) from error
    prepared = request.prepare(
        request.Request(
            base=args.base, adapter=args.adapter, out=args.out, type_name=args.type,
            adapter_only=args.adapter_only,
            name=args.name, licence=args.licence, split=args.split_size,
            imatrix_text=args.imatrix_text, verify=args.verify or args.verify_text is not None,
            verify_text=args.verify_text,
            threads=args.threads or available_threads(),
        )
    )  # fmt: skip
    if args.dry_run:
        print("\n".join(telling.described(prepared)))
        return 0
    for path in command.run(prepared):
        print(path)
    return 0
