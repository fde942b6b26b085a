"""Makes two-layer random Qwen3s and what transformers and PEFT compute from them in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`tied/` and `untied/` are of different shapes. Query and key heads have norms with gains of their own, and heads are wider together than the
model. What a folder holds is said in `../family.py`.
"""

import sys
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

sys.path.insert(0, str(Path(__file__).parent.parent))
from family import Family  # noqa: E402

SHAPE = dict(
    num_hidden_layers=2,
    vocab_size=96,
    max_position_embeddings=128,
    max_window_layers=2,
    sliding_window=None,
    use_sliding_window=False,
    rope_theta=1000000.0,
    rms_norm_eps=1e-6,
    bos_token_id=1,
    eos_token_id=2,
)
TIED = dict(
    SHAPE,
    tie_word_embeddings=True,
    attention_bias=False,
    hidden_size=24,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=12,
    intermediate_size=40,
)
# No published Qwen3 has these biases, but its configuration can say so.
UNTIED = dict(
    SHAPE,
    tie_word_embeddings=False,
    attention_bias=True,
    hidden_size=20,
    num_attention_heads=3,
    num_key_value_heads=1,
    head_dim=10,
    intermediate_size=36,
)
KIND = dict(architectures=["Qwen3ForCausalLM"], model_type="qwen3", hidden_act="silu", attention_dropout=0.0)

if __name__ == "__main__":
    torch.set_num_threads(1)
    family = Family(Qwen3Config, Qwen3ForCausalLM, KIND)
    for name, shape in [("tied", TIED), ("untied", UNTIED)]:
        family.make(Path(__file__).parent / name, shape, seed=20261128, lora=name == "tied")
