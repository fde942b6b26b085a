"""Makes the two-layer random Qwen3-MoE models and what transformers and PEFT compute from them in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`renormalised/` and `plain/` are checkpoints as Hugging Face publishes them, every expert's matrices
tensors of their own, stored as bf16. In `plain/` the weights of the chosen experts do not sum to
one, and the first layer has no experts. Beside them, as in `golden/llama`:

* `numbers.json`: the documents as ids, the mean loss over all their targets together, and 20 losses
  of full training; the same of a LoRA on attention and experts in `renormalised/`.
* `expected.safetensors`: `logits.<document>`, and the gradient of that mean loss by every
  parameter (`full.<name>`, experts fused as transformers has them in memory) and by every half of a
  low-rank pair (`lora.<name>`, as PEFT names them).
* `renormalised/adapter/`: the pairs, B not zero, as PEFT saves them.

The loss is that of the tokens alone: transformers adds the router's balance to it only when
`output_router_logits` is asked for, and it is not by default.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from family import DEVIATION, LENGTHS, pair_name, save, total_loss, write_json  # noqa: E402
from family import train as train_with  # noqa: E402

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
# Half of what the other families have, so that rounding seldom sends a token to another expert.
LEARNING_RATE = 5e-3


def train(model, documents):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    return train_with(model, documents, optimizer)


def empty_model(shape):
    return Qwen3MoeForCausalLM(
        Qwen3MoeConfig(attn_implementation="eager", experts_implementation="eager", **shape)
    )


def new_model(shape, generator):
    """A model whose every number is drawn from `generator`, in order of the parameters."""
    model = empty_model(shape)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            values = noise * DEVIATION if parameter.dim() > 1 else 1 + 0.1 * noise
            parameter.copy_(values.bfloat16())
    return model


def with_pairs(model, generator):
    """LoRA beside the linears of attention and, fused, the experts' matrices."""
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def published(parameters):
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


def checkpoint(model, shape, folder):
    folder.mkdir(exist_ok=True)
    save(published(dict(model.named_parameters())), folder / "model.safetensors", torch.bfloat16)
    kind = dict(
        architectures=["Qwen3MoeForCausalLM"],
        model_type="qwen3_moe",
        hidden_act="silu",
        use_sliding_window=False,
        router_aux_loss_coef=0.001,
        output_router_logits=False,
        torch_dtype="bfloat16",
    )
    write_json({**kind, **shape}, folder / "config.json")


def reload(folder, shape):
    """The checkpoint as transformers itself reads it."""
    return Qwen3MoeForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager"
    )


def save_adapter(model, folder):
    """What PEFT writes, with the set of target modules in an order that stays."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config |= {key: sorted(config[key]) for key in ["target_modules", "target_parameters"]}
    write_json({**config, "base_model_name_or_path": None}, folder / "adapter_config.json")


def make_full(folder, shape, generator):
    """The checkpoint, and what full training makes of it."""
    model = new_model(shape, generator)
    checkpoint(model, shape, folder)
    documents = [torch.randint(3, shape["vocab_size"], (n,), generator=generator).tolist() for n in LENGTHS]
    expected = {}
    again = reload(folder, shape)
    with torch.no_grad():
        for idx, ids in enumerate(documents):
            expected[f"logits.{idx}"] = model(input_ids=torch.tensor([ids])).logits[0]
            assert torch.equal(expected[f"logits.{idx}"], again(input_ids=torch.tensor([ids])).logits[0])
    loss = total_loss(model, documents)
    loss.backward()
    for name, parameter in model.named_parameters():
        expected[f"full.{name}"] = parameter.grad
    losses = train(reload(folder, shape), documents)
    numbers = dict(documents=documents, loss=loss.item(), learning_rate=LEARNING_RATE, full_losses=losses)
    return expected, numbers


def make_lora(folder, shape, generator, documents):
    """The adapter, and what training makes of it."""
    model = with_pairs(reload(folder, shape), generator)
    save_adapter(model, folder / "adapter")
    loss = total_loss(model, documents)
    loss.backward()
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    expected = {f"lora.{pair_name(name)}": parameter.grad for name, parameter in trained}
    for _, parameter in trained:
        parameter.grad = None
    return expected, dict(lora_loss=loss.item(), lora_losses=train(model, documents))


def main():
    torch.set_num_threads(1)
    for name, shape in [("renormalised", RENORMALISED), ("plain", PLAIN)]:
        folder = HERE / name
        generator = torch.Generator().manual_seed(20261127)
        expected, numbers = make_full(folder, shape, generator)
        if name == "renormalised":
            more_expected, more_numbers = make_lora(folder, shape, generator, numbers["documents"])
            expected |= more_expected
            numbers |= more_numbers
        save(expected, folder / "expected.safetensors", torch.float32)
        write_json(numbers, folder / "numbers.json")


if __name__ == "__main__":
    main()
