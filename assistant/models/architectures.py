"""What kinds of models llama.cpp 0.3.36's release can write text with, as data.

From the table `LLM_ARCH_NAMES` of its `llama-arch.cpp`; a test compares it with that file.
"""

from __future__ import annotations

_DECODERS = """
afmoe apertus arcee arctic arwkv7 baichuan bailingmoe bailingmoe2 bailingmoe3 bitnet bloom
chameleon chatglm codeshell cogvlm cohere2 cohere2moe command-r dbrx deci deepseek deepseek2
deepseek2-ocr deepseek32 deepseek4 dots1 dots3note ernie4_5 ernie4_5-moe exaone exaone-moe
exaone4 falcon falcon-h1 gemma gemma2 gemma3 gemma3n gemma4 glm-dsa glm4 glm4moe glm5-next
gpt-oss gpt2 gptj gptneox granite granite_swa granitehybrid granitemoe graniteswitch grok
grovemoe hrm_text hunyuan-dense hunyuan-moe hunyuan_vl hy_v3 hy_v4 internlm2 jais jais2 jamba
kimi-k3 kimi-linear laguna lfm2 lfm2moe llama llama4 maincoder mamba mamba2 maple mellum mimo2
minicpm minicpm3 minimax-01 minimax-m2 minimax-m3 mistral3 mistral4 mpt muse-glimmer nanbeige
nemotron nemotron_h nemotron_h_moe olmo olmo2 olmoe openelm orion paddleocr pangu-embedded phi2
phi3 phimoe plamo plamo2 plamo3 plm qwen qwen2 qwen2moe qwen2vl qwen3 qwen35 qwen35moe qwen3moe
qwen3next qwen3vl qwen3vlmoe qwen4exp refact rwkv6 rwkv6qwen2 rwkv7 seed_oss smallthinker
smollm3 spark2_5 stablelm starcoder starcoder2 step35 talkie xverse
"""
DECODERS = frozenset(_DECODERS.split())
"""Those that write one token after the other."""

OTHERS: dict[str, str] = {
    **dict.fromkeys(
        ("bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2",
         "jina-bert-v3", "eurobert", "gemma-embedding", "llama-embed"),
        "turns text into vectors and writes none",
    ),
    **dict.fromkeys(("t5", "t5encoder"), "has an encoder, which this engine does not serve"),
    **dict.fromkeys(
        ("dream", "llada", "llada-moe", "rnd1"),
        "writes text by diffusion, which this engine does not serve",
    ),
    **dict.fromkeys(
        ("eagle3", "dflash", "gemma4-assistant"), "is a helper of another model, no model by itself"
    ),
    **dict.fromkeys(("clip",), "reads pictures for another model"),
    **dict.fromkeys(("wavtokenizer-dec", "qwen3tts", "pockettts"), "makes sound"),
}  # fmt: skip
"""Known, and of no use here; why."""

# Those whose layers are a plain Llama's: the shapes of their weights follow from the metadata.
PLAIN = frozenset({"llama", "qwen2", "qwen3", "smollm3", "mistral3"})
# Without attention in every layer: no number of heads is needed.
RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
# Where llama.cpp ends the process when there are none.
NEEDS_EXPERTS = frozenset({"smallthinker"})
NEEDS_SECTIONS = frozenset({"paddleocr", "qwen2vl", "qwen3vl", "qwen3vlmoe"})
