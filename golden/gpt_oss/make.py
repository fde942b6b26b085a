"""Makes the two-layer random gpt-oss models and what transformers and PEFT compute from them in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`fused/` is a checkpoint as transformers saves it: every matrix of the experts in one tensor, (E, in,
out), stored as bf16. `mxfp4/` is one as OpenAI published it: the experts' matrices as blocks of
four-bit numbers and their scales, (E, out, in). Both slide a window of five tokens over every other
layer, stretch positions by YaRN, and clamp what their experts' gates let through. Beside them, as in
`golden/llama`:

* `numbers.json`: the documents as ids, the mean loss over all their targets together, and 20 losses
  of full training in `fused/`, of a LoRA on attention and experts in `mxfp4/`.
* `expected.safetensors`: `logits.<document>`, and the gradient of that mean loss by every
  parameter (`full.<name>`) or by every half of a low-rank pair (`lora.<name>`, as PEFT names them).
* `mxfp4/decoded.safetensors`: what transformers makes of the blocks, in f32.
* `mxfp4/adapter/`: the pairs, B not zero, as PEFT saves them.

Attention is the eager one. The loss is that of the tokens alone: transformers adds the router's
balance to it only when `output_router_logits` is asked for, and it is not by default.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GptOssConfig, GptOssForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from family import DEVIATION, LENGTHS, pair_name, total_loss, write_json  # noqa: E402
from family import train as train_with  # noqa: E402

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
# Half of what the other families have, so that rounding seldom sends a token to another expert.
LEARNING_RATE = 5e-3
EXPERTS = ["gate_up_proj", "down_proj"]


def train(model, documents):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    return train_with(model, documents, optimizer)


def empty_model():
    rope = dict(ROPE, rope_theta=THETA)
    config = GptOssConfig(
        attn_implementation="eager", experts_implementation="eager", rope_parameters=rope, **SHAPE
    )
    return GptOssForCausalLM(config)


def new_model(generator):
    """A model whose every number is drawn from `generator`, in order of the parameters."""
    model = empty_model()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = name.endswith("norm.weight")
            values = 1 + 0.1 * noise if is_gain else noise * DEVIATION
            parameter.copy_(values.bfloat16())
    return model


def with_pairs(model, generator):
    """LoRA beside the linears of attention and the experts' matrices."""
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        target_parameters=[f"mlp.experts.{name}" for name in EXPERTS],
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def save(tensors, path):
    tensors = {name: tensor.detach().contiguous() for name, tensor in sorted(tensors.items())}
    save_file(tensors, path, metadata={"format": "pt"})


def is_expert_matrix(name):
    return name.rpartition(".")[2] in EXPERTS


def checkpoint(model, folder, quantized):
    """Saves the model; where quantized, the experts' matrices become random blocks first."""
    folder.mkdir(exist_ok=True)
    tensors, decoded = {}, {}
    generator = torch.Generator().manual_seed(4)
    for name, parameter in model.named_parameters():
        if quantized and is_expert_matrix(name):
            n_experts, n_in, n_out = parameter.shape
            blocks = torch.randint(0, 256, (n_experts, n_out, n_in // 32, 16), generator=generator)
            # Two to the power of -5 to -3: numbers up to 6 become weights of the usual size.
            scales = torch.randint(122, 125, (n_experts, n_out, n_in // 32), generator=generator)
            tensors[f"{name}_blocks"] = blocks.to(torch.uint8)
            tensors[f"{name}_scales"] = scales.to(torch.uint8)
            decoded[name] = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
            with torch.no_grad():
                parameter.copy_(decoded[name])
        else:
            tensors[name] = parameter.to(torch.bfloat16)
    save(tensors, folder / "model.safetensors")
    if quantized:
        save(decoded, folder / "decoded.safetensors")
    kind = dict(
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
        torch_dtype="bfloat16",
    )
    if quantized:
        kind["quantization_config"] = {
            "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router"],
            "quant_method": "mxfp4",
        }
    write_json({**kind, **SHAPE}, folder / "config.json")


def reload(folder):
    model = empty_model()
    tensors = load_file(folder / "model.safetensors")
    if (folder / "decoded.safetensors").exists():
        tensors = {name: values for name, values in tensors.items() if not name.endswith(("_blocks", "_scales"))}
        tensors |= load_file(folder / "decoded.safetensors")
    model.load_state_dict(tensors, strict=True)
    return model


def save_adapter(model, folder):
    """What PEFT writes, with the set of target modules in an order that stays."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config |= {"target_modules": sorted(config["target_modules"]), "base_model_name_or_path": None}
    write_json(config, folder / "adapter_config.json")


def make(folder, generator, quantized):
    model = new_model(generator)
    checkpoint(model, folder, quantized)
    documents = [torch.randint(3, SHAPE["vocab_size"], (n,), generator=generator).tolist() for n in LENGTHS]
    expected = {}
    with torch.no_grad():
        for idx, ids in enumerate(documents):
            expected[f"logits.{idx}"] = model(input_ids=torch.tensor([ids])).logits[0]
    model, kind = reload(folder), "full"
    if quantized:
        model, kind = with_pairs(model, generator), "lora"
        save_adapter(model, folder / "adapter")
    loss = total_loss(model, documents)
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            expected[f"{kind}.{pair_name(name)}"] = parameter.grad
            parameter.grad = None
    numbers = dict(documents=documents, learning_rate=LEARNING_RATE)
    numbers |= {"loss" if kind == "full" else "lora_loss": loss.item()}
    numbers[f"{kind}_losses"] = train(model, documents)
    save(expected, folder / "expected.safetensors")
    write_json(numbers, folder / "numbers.json")


def main():
    torch.set_num_threads(1)
    for name, quantized in [("fused", False), ("mxfp4", True)]:
        make(HERE / name, torch.Generator().manual_seed(20261127), quantized)


if __name__ == "__main__":
    main()
