"""Makes the two-layer random Llamas and what transformers and PEFT compute from them in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`tied/` and `untied/` are checkpoints as Hugging Face publishes them, of different shapes, stored as
bf16. Beside them:

* `numbers.json`: the documents as ids, the mean loss over all their targets together, and 20 losses
  of full training; the same of a LoRA in `tied/`.
* `expected.safetensors`: `logits.<document>`, and the gradient of that mean loss by every
  parameter (`full.<name>`) and by every half of a low-rank pair (`lora.<module>.lora_A`, `.lora_B`).
* `tied/adapter/`: the pairs, B not zero, as PEFT saves them.

Matrices are drawn wider than is usual (deviation 0.3) so that attention is far from even and an
error anywhere moves the logits. Every document is run by itself and losses are summed over targets
and divided once, so a packed run must give the same.
"""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).parent
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
LENGTHS = [19, 1, 14, 7]
DEVIATION = 0.3
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
N_STEPS = 20
LEARNING_RATE = 1e-2


def empty_model(shape):
    return LlamaForCausalLM(LlamaConfig(attn_implementation="eager", **shape))


def new_model(shape, generator):
    """A model whose every number is drawn from `generator`, in order of the parameters."""
    model = empty_model(shape)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            values = noise * DEVIATION if parameter.dim() > 1 else 1 + 0.1 * noise
            parameter.copy_(values.bfloat16())
    return model


def total_loss(model, documents):
    """Losses of all targets of all documents, summed in nats and divided once by their number."""
    n_targets = sum(len(ids) - 1 for ids in documents)
    total = torch.zeros(())
    for ids in documents:
        logits = model(input_ids=torch.tensor([ids])).logits[0]
        targets = torch.tensor(ids[1:], dtype=torch.long)
        total = total + torch.nn.functional.cross_entropy(logits[:-1], targets, reduction="sum")
    return total / n_targets


def train(model, documents):
    """Losses before each of 20 steps of AdamW on the same batch of all documents."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    losses = []
    for _ in range(N_STEPS):
        loss = total_loss(model, documents)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses


def with_pairs(model, generator):
    """LoRA beside every linear; PEFT starts B at zero, where dA would be zero as well."""
    config = LoraConfig(r=4, lora_alpha=8, target_modules=LINEARS, task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def pair_name(name):
    return name.removeprefix("base_model.model.").replace(".default.weight", "")


def save(tensors, path, dtype):
    tensors = {name: tensor.detach().to(dtype).contiguous() for name, tensor in sorted(tensors.items())}
    save_file(tensors, path, metadata={"format": "pt"})


def checkpoint(model, shape, folder):
    folder.mkdir(exist_ok=True)
    save(dict(model.named_parameters()), folder / "model.safetensors", torch.bfloat16)
    kind = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", torch_dtype="bfloat16")
    write_json({**kind, **shape}, folder / "config.json")


def write_json(value, path):
    path.write_text(json.dumps(value, indent=1) + "\n")


def reload(folder, shape):
    model = empty_model(shape)
    missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    return model


def save_adapter(model, folder):
    """What PEFT writes, with the set of target modules in an order that stays."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    write_json({**config, "target_modules": sorted(config["target_modules"])}, folder / "adapter_config.json")


def make_full(folder, shape, generator):
    """The checkpoint, and what full training makes of it."""
    model = new_model(shape, generator)
    checkpoint(model, shape, folder)
    documents = [torch.randint(3, shape["vocab_size"], (n,), generator=generator).tolist() for n in LENGTHS]
    expected = {}
    with torch.no_grad():
        for idx, ids in enumerate(documents):
            expected[f"logits.{idx}"] = model(input_ids=torch.tensor([ids])).logits[0]
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
    for name, shape in [("tied", TIED), ("untied", UNTIED)]:
        folder = HERE / name
        generator = torch.Generator().manual_seed(20250102)
        expected, numbers = make_full(folder, shape, generator)
        if name == "tied":
            more_expected, more_numbers = make_lora(folder, shape, generator, numbers["documents"])
            expected |= more_expected
            numbers |= more_numbers
        save(expected, folder / "expected.safetensors", torch.float32)
        write_json(numbers, folder / "numbers.json")


if __name__ == "__main__":
    main()
