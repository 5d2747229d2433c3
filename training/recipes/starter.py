"""The model that comes with the package: about 5 million parameters, made on one processor core.

    assistant train starter --out runs/starter

Takes about an hour; `--dry-run` says how long each stage takes and how that is computed.
"""

from training.settings import (
    Adapter,
    Architecture,
    Base,
    Encoder,
    Evaluate,
    Export,
    Problems,
    Recipe,
    Settings,
    Tokenizer,
)

STARTER = Recipe(
    name="starter",
    summary="the embedded model, an hour and a half on one core",
    settings=Settings(
        threads=1,
        install=True,
        # Many different problems matter more than many looks at the same one.
        problems=Problems(count=60_000),
        tokenizer=Tokenizer(vocabulary=2048, sample=20_000),
        # 4.95 million parameters; 5.3 MB as Q8_0.
        model=Architecture(width=256, layers=6, heads=4, kv_heads=2, feed_forward=704),
        # Everything the model will need to know: words, code, filling in.
        base=Base(tokens=8_500_000, batch_tokens=4096),
        encoder=Encoder(width=128, layers=2, heads=4, steps=400),
        # Only what it is asked for in use: reasoning, then code.
        adapter=Adapter(rank=64, alpha=128, tokens=6_000_000, batch_tokens=4096),
        export=Export(type="Q8_0", name="starter"),
        evaluate=Evaluate(heldout=300, validation=100, mbpp=500),
    ),
)
