"""Makes the two-layer random Llamas and what transformers and PEFT compute from them in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`tied/` and `untied/` are of different shapes. What a folder holds is said in `../family.py`.
"""

import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from family import Family  # noqa: E402

SHAPE = dict(
    num_hidden_layers=2,
    vocab_size=96,
    max_position_embeddings=128,
    rope_theta=10000.0,
    rms_norm_eps=1e-5,
    bos_token_id=1,
    eos_token_id=2,
)
TIED = dict(
    SHAPE,
    tie_word_embeddings=True,
    hidden_size=32,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=48,
)
# Three queries share one key here, and heads are not as wide together as the model.
UNTIED = dict(
    SHAPE,
    tie_word_embeddings=False,
    hidden_size=24,
    num_attention_heads=3,
    num_key_value_heads=1,
    head_dim=10,
    intermediate_size=40,
)
KIND = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu")

if __name__ == "__main__":
    torch.set_num_threads(1)
    family = Family(LlamaConfig, LlamaForCausalLM, KIND)
    for name, shape in [("tied", TIED), ("untied", UNTIED)]:
        family.make(HERE / name, shape, seed=20250102, lora=name == "tied")
