"""Makes the two-layer random gpt-oss models and what transformers and PEFT compute from them in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`fused/` is a checkpoint as transformers saves it: every matrix of the experts in one tensor, (E, in,
out), stored as bf16. `mxfp4/` is one as OpenAI published it: the experts' matrices as blocks of
four-bit numbers and their scales, (E, out, in). Both slide a window of five tokens over every other
layer, stretch positions by YaRN, and clamp what their experts' gates let through. What a folder holds is
said in `../family.py`: full training in `fused/`, a LoRA on attention and experts in `mxfp4/`, its halves
named as PEFT names them. `mxfp4/decoded.safetensors` is what transformers makes of the blocks, in f32.

Attention is the eager one. The loss is that of the tokens alone: transformers adds the router's
balance to it only when `output_router_logits` is asked for, and it is not by default.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import GptOssConfig, GptOssForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from family import DEVIATION, Family, save, write_json  # noqa: E402

SHAPE = dict(
    num_hidden_layers=2,
    vocab_size=96,
    hidden_size=32,
    intermediate_size=32,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    num_local_experts=4,
    num_experts_per_tok=2,
    sliding_window=5,
    layer_types=["sliding_attention", "full_attention"],
    max_position_embeddings=128,
    rms_norm_eps=1e-5,
    swiglu_limit=2.0,
    tie_word_embeddings=False,
    attention_bias=True,
    bos_token_id=1,
    eos_token_id=2,
)
# Of the eight frequencies of a head the first two stay, the last three are divided, those between
# are blended.
ROPE = dict(
    rope_type="yarn",
    factor=4.0,
    beta_fast=4.0,
    beta_slow=1.0,
    truncate=False,
    original_max_position_embeddings=64,
)
THETA = 100.0
KIND = dict(
    architectures=["GptOssForCausalLM"],
    model_type="gpt_oss",
    hidden_act="silu",
    attention_dropout=0.0,
    initial_context_length=64,
    experts_per_token=2,
    swiglu_alpha=1.702,
    output_router_logits=False,
    router_aux_loss_coef=0.9,
    rope_theta=THETA,
    rope_scaling=ROPE,
)
OPTIONS = dict(experts_implementation="eager", rope_parameters=dict(ROPE, rope_theta=THETA))
EXPERTS = ["gate_up_proj", "down_proj"]
PAIRS = dict(
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    target_parameters=[f"mlp.experts.{name}" for name in EXPERTS],
)
# Half of what the other families have, so that rounding seldom sends a token to another expert.
LEARNING_RATE = 5e-3


class Fused(Family):
    def values(self, name, noise):
        """Biases and sinks are as wide as matrices, so that they count."""
        return 1 + 0.1 * noise if name.endswith("norm.weight") else noise * DEVIATION


class Blocks(Fused):
    """The experts' matrices become random blocks before anything is computed."""

    def checkpoint(self, model, shape, folder):
        folder.mkdir(exist_ok=True)
        tensors, decoded = {}, {}
        generator = torch.Generator().manual_seed(4)
        for name, parameter in model.named_parameters():
            if name.rpartition(".")[2] not in EXPERTS:
                tensors[name] = parameter.to(torch.bfloat16)
                continue
            n_experts, n_in, n_out = parameter.shape
            blocks = torch.randint(0, 256, (n_experts, n_out, n_in // 32, 16), generator=generator)
            # Two to the power of -5 to -3: numbers up to 6 become weights of the usual size.
            scales = torch.randint(122, 125, (n_experts, n_out, n_in // 32), generator=generator)
            tensors[f"{name}_blocks"] = blocks.to(torch.uint8)
            tensors[f"{name}_scales"] = scales.to(torch.uint8)
            decoded[name] = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
            with torch.no_grad():
                parameter.copy_(decoded[name])
        save(tensors, folder / "model.safetensors")
        save(decoded, folder / "decoded.safetensors")
        quantized = {
            "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router"],
            "quant_method": "mxfp4",
        }
        kind = {**self.kind, "torch_dtype": "bfloat16", "quantization_config": quantized}
        write_json({**kind, **shape}, folder / "config.json")

    def reload(self, folder, shape):
        tensors = load_file(folder / "model.safetensors")
        tensors = {name: values for name, values in tensors.items() if not name.endswith(("_blocks", "_scales"))}
        model = self.empty(shape)
        model.load_state_dict(tensors | load_file(folder / "decoded.safetensors"), strict=True)
        return model


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, family, lora in [("fused", Fused, False), ("mxfp4", Blocks, True)]:
        made = family(GptOssConfig, GptOssForCausalLM, KIND, OPTIONS, PAIRS, LEARNING_RATE)
        made.make(HERE / name, SHAPE, seed=20261127, full=not lora, lora=lora)
