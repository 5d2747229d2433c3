"""The whole chain in about 15 seconds on one core: a test of the machinery, not a useful model.

assistant train nano --out /tmp/nano
"""

from training.settings import (
    Adapter,
    Architecture,
    Base,
    Curriculum,
    Encoder,
    Evaluate,
    Export,
    Problems,
    Recipe,
    Settings,
    Tokenizer,
)

NANO = Recipe(
    name="nano",
    summary="every stage at toy size, about 15 seconds on one core; the model is useless",
    settings=Settings(
        threads=1,
        problems=Problems(count=300),
        tokenizer=Tokenizer(vocabulary=512, sample=200),
        model=Architecture(
            width=64, layers=2, heads=2, kv_heads=1, feed_forward=128, context=1024
        ),
        base=Base(tokens=60_000, batch_tokens=4096, checkpoint_every=4),
        encoder=Encoder(width=32, layers=1, heads=2, steps=10, batch=16, checkpoint_every=4),
        curriculum=Curriculum(measure_every=2),
        adapter=Adapter(
            rank=8, alpha=16, tokens=40_000, batch_tokens=4096, checkpoint_every=3
        ),
        export=Export(name="nano", verify_tokens=200),
        evaluate=Evaluate(
            heldout=4, validation=2, handwritten=False, mbpp=0, max_new_tokens=64, examples=2,
            workers=1,
        ),
    ),
)  # fmt: skip
