"""Makes a two-layer random GPT-2 and what transformers and PEFT compute from it in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

`tied/` is a checkpoint as Hugging Face publishes it, stored as bf16, its linears as (in, out).
`bare/` holds the same weights as GPT-2's first files have them: names without `transformer.`, and
with the buffers `attn.bias` and `attn.masked_bias`. Beside `tied/model.safetensors`:

* `numbers.json`: the documents as ids, the mean loss over all their targets together, and 20 losses
  of full training and of a LoRA.
* `expected.safetensors`: `logits.<document>`, and the gradient of that mean loss by every
  parameter (`full.<name>`, linears as (in, out)) and by every half of a low-rank pair
  (`lora.<module>.lora_A`, `.lora_B`).
* `adapter/`: the pairs, B not zero, as PEFT saves them: with `fan_in_fan_out`.

Matrices are drawn wider than is usual (deviation 0.3) so that attention is far from even and an
error anywhere moves the logits. Every document is run by itself and losses are summed over targets
and divided once, so a packed run must give the same.
"""

import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent
SHAPE = dict(
    n_layer=2,
    n_head=3,
    n_embd=24,
    n_inner=56,
    n_positions=20,
    vocab_size=96,
    layer_norm_epsilon=1e-5,
    bos_token_id=1,
    eos_token_id=2,
)
LENGTHS = [19, 1, 14, 7]
DEVIATION = 0.3
LINEARS = ["c_attn", "c_fc", "c_proj"]
N_STEPS = 20
LEARNING_RATE = 1e-2


def empty_model():
    no_dropout = dict(attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)
    return GPT2LMHeadModel(GPT2Config(attn_implementation="eager", **no_dropout, **SHAPE))


def new_model(generator):
    """A model whose every number is drawn from `generator`, in order of the parameters."""
    model = empty_model()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = ".ln_" in name and name.endswith("weight")
            values = noise * DEVIATION if parameter.dim() > 1 else is_gain + 0.1 * noise
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
    config = LoraConfig(r=4, lora_alpha=8, target_modules=LINEARS, fan_in_fan_out=True, task_type="CAUSAL_LM")
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


def write_json(value, path):
    path.write_text(json.dumps(value, indent=1) + "\n")


def checkpoint(model, tensors, folder):
    folder.mkdir(exist_ok=True)
    save(tensors, folder / "model.safetensors", torch.bfloat16)
    kind = dict(architectures=["GPT2LMHeadModel"], model_type="gpt2", activation_function="gelu_new")
    write_json({**kind, **SHAPE, "torch_dtype": "bfloat16"}, folder / "config.json")


def as_first_published(parameters):
    """The same weights under GPT-2's first names, with what its first files hold beside them."""
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in parameters.items()}
    n = SHAPE["n_positions"]
    for layer in range(SHAPE["n_layer"]):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(n, n).tril().view(1, 1, n, n)
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-10000.0)
    return tensors


def reload(folder):
    model = empty_model()
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


def make_full(folder, generator):
    """The checkpoint, and what full training makes of it."""
    model = new_model(generator)
    parameters = dict(model.named_parameters())
    checkpoint(model, parameters, folder)
    checkpoint(model, as_first_published(parameters), HERE / "bare")
    documents = [torch.randint(3, SHAPE["vocab_size"], (n,), generator=generator).tolist() for n in LENGTHS]
    expected = {}
    with torch.no_grad():
        for idx, ids in enumerate(documents):
            expected[f"logits.{idx}"] = model(input_ids=torch.tensor([ids])).logits[0]
    loss = total_loss(model, documents)
    loss.backward()
    for name, parameter in parameters.items():
        expected[f"full.{name}"] = parameter.grad
    losses = train(reload(folder), documents)
    numbers = dict(documents=documents, loss=loss.item(), learning_rate=LEARNING_RATE, full_losses=losses)
    return expected, numbers


def make_lora(folder, generator, documents):
    """The adapter, and what training makes of it."""
    model = with_pairs(reload(folder), generator)
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
    folder = HERE / "tied"
    generator = torch.Generator().manual_seed(20250103)
    expected, numbers = make_full(folder, generator)
    more_expected, more_numbers = make_lora(folder, generator, numbers["documents"])
    save(expected | more_expected, folder / "expected.safetensors", torch.float32)
    write_json(numbers | more_numbers, folder / "numbers.json")


if __name__ == "__main__":
    main()
