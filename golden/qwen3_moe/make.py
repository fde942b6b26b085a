"""Makes the two-layer random Qwen3-MoE models and what transformers and PEFT compute from them in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`renormalised/` and `plain/` have every expert's matrices as tensors of their own. In `plain/` the weights
of the chosen experts do not sum to one, and the first layer has no experts. What a folder holds is said in
`../family.py`; in `full.<name>` experts are fused, as transformers has them in memory, and the LoRA stands
on attention and experts, its halves named as PEFT names them.

The loss is that of the tokens alone: transformers adds the router's balance to it only when
`output_router_logits` is asked for, and it is not by default.
"""

import sys
from pathlib import Path

import torch
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from family import Family  # noqa: E402

SHAPE = dict(
    num_hidden_layers=2,
    vocab_size=96,
    hidden_size=32,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=12,
    max_position_embeddings=128,
    rope_theta=10000.0,
    rms_norm_eps=1e-6,
    bos_token_id=1,
    eos_token_id=2,
    num_experts=6,
    attention_bias=False,
)
RENORMALISED = dict(
    SHAPE,
    tie_word_embeddings=False,
    intermediate_size=48,
    moe_intermediate_size=20,
    num_experts_per_tok=2,
    norm_topk_prob=True,
    decoder_sparse_step=1,
    mlp_only_layers=[],
)
PLAIN = dict(
    SHAPE,
    tie_word_embeddings=True,
    intermediate_size=40,
    moe_intermediate_size=16,
    num_experts_per_tok=3,
    norm_topk_prob=False,
    decoder_sparse_step=1,
    mlp_only_layers=[0],
)
KIND = dict(
    architectures=["Qwen3MoeForCausalLM"],
    model_type="qwen3_moe",
    hidden_act="silu",
    use_sliding_window=False,
    router_aux_loss_coef=0.001,
    output_router_logits=False,
)
EAGER = dict(experts_implementation="eager")
PAIRS = dict(
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
)
# Half of what the other families have, so that rounding seldom sends a token to another expert.
LEARNING_RATE = 5e-3


class Mixture(Family):
    def published(self, parameters):
        """Every expert's matrices as tensors of their own, as checkpoints have them."""
        tensors = {}
        for name, values in parameters.items():
            module, _, leaf = name.rpartition(".")
            if leaf == "gate_up_proj":
                width = values.shape[1] // 2
                for expert in range(values.shape[0]):
                    tensors[f"{module}.{expert}.gate_proj.weight"] = values[expert, :width]
                    tensors[f"{module}.{expert}.up_proj.weight"] = values[expert, width:]
            elif leaf == "down_proj":
                for expert in range(values.shape[0]):
                    tensors[f"{module}.{expert}.down_proj.weight"] = values[expert]
            else:
                tensors[name] = values
        return tensors

    def reload(self, folder, shape):
        """The checkpoint as transformers itself reads it."""
        return self.model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **self.options)


if __name__ == "__main__":
    torch.set_num_threads(1)
    family = Mixture(Qwen3MoeConfig, Qwen3MoeForCausalLM, KIND, EAGER, PAIRS, LEARNING_RATE)
    for name, shape in [("renormalised", RENORMALISED), ("plain", PLAIN)]:
        family.make(HERE / name, shape, seed=20261127, lora=name == "renormalised")
