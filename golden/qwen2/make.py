"""Makes a two-layer random Qwen2 and what transformers computes from it in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

In `tied/`, queries, keys and values have a bias, the map out of attention has none. Its config.json is written as Qwen2.5's are, with a window
that is switched off. What the folder holds is said in `../family.py`.
"""

import sys
from pathlib import Path

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

sys.path.insert(0, str(Path(__file__).parent.parent))
from family import Family  # noqa: E402

SHAPE = dict(
    hidden_size=32,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=48,
    num_hidden_layers=2,
    vocab_size=96,
    max_position_embeddings=128,
    max_window_layers=1,
    sliding_window=16,
    use_sliding_window=False,
    rope_theta=1000000.0,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
    bos_token_id=1,
    eos_token_id=2,
)
KIND = dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_act="silu", attention_dropout=0.0)

if __name__ == "__main__":
    torch.set_num_threads(1)
    family = Family(Qwen2Config, Qwen2ForCausalLM, KIND)
    family.make(Path(__file__).parent / "tied", SHAPE, seed=20261127, lora=True)
