"""What the `make.py` of a family of decoders has in common: models, losses, gradients, files.

Not a script. Every document is run by itself and losses are summed over targets and divided once, so
a packed run must give the same. Matrices are drawn wider than is usual (deviation 0.3) so that
attention is far from even and an error anywhere moves the logits.
"""

import json
from dataclasses import dataclass

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

LENGTHS = [19, 1, 14, 7]
DEVIATION = 0.3
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
N_STEPS = 20
LEARNING_RATE = 1e-2


@dataclass
class Family:
    """A family: its classes in transformers, and what its config.json says beside the shape."""

    config: type
    model: type
    kind: dict

    def empty(self, shape):
        return self.model(self.config(attn_implementation="eager", **shape))

    def new(self, shape, generator):
        """A model whose every number is drawn from `generator`, in order of the parameters."""
        model = self.empty(shape)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                middle = 0.0 if name.endswith("bias") else 1.0
                values = noise * DEVIATION if parameter.dim() > 1 else middle + 0.1 * noise
                parameter.copy_(values.bfloat16())
        return model

    def checkpoint(self, model, shape, folder):
        folder.mkdir(exist_ok=True)
        save(dict(model.named_parameters()), folder / "model.safetensors", torch.bfloat16)
        write_json({**self.kind, "torch_dtype": "bfloat16", **shape}, folder / "config.json")

    def reload(self, folder, shape):
        model = self.empty(shape)
        missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
        model.tie_weights()
        return model

    def make_full(self, folder, shape, generator):
        """The checkpoint, and what full training makes of it."""
        model = self.new(shape, generator)
        self.checkpoint(model, shape, folder)
        documents = [torch.randint(3, shape["vocab_size"], (n,), generator=generator).tolist() for n in LENGTHS]
        expected = {}
        with torch.no_grad():
            for idx, ids in enumerate(documents):
                expected[f"logits.{idx}"] = model(input_ids=torch.tensor([ids])).logits[0]
        loss = total_loss(model, documents)
        loss.backward()
        for name, parameter in model.named_parameters():
            expected[f"full.{name}"] = parameter.grad
        losses = train(self.reload(folder, shape), documents)
        numbers = dict(documents=documents, loss=loss.item(), learning_rate=LEARNING_RATE, full_losses=losses)
        return expected, numbers

    def make_lora(self, folder, shape, generator, documents):
        """The adapter, and what training makes of it."""
        model = with_pairs(self.reload(folder, shape), generator)
        save_adapter(model, folder / "adapter")
        loss = total_loss(model, documents)
        loss.backward()
        trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
        expected = {f"lora.{pair_name(name)}": parameter.grad for name, parameter in trained}
        for _, parameter in trained:
            parameter.grad = None
        return expected, dict(lora_loss=loss.item(), lora_losses=train(model, documents))

    def make(self, folder, shape, seed, lora):
        """Everything of one shape; `lora`: an adapter as well."""
        generator = torch.Generator().manual_seed(seed)
        expected, numbers = self.make_full(folder, shape, generator)
        if lora:
            more_expected, more_numbers = self.make_lora(folder, shape, generator, numbers["documents"])
            expected |= more_expected
            numbers |= more_numbers
        save(expected, folder / "expected.safetensors", torch.float32)
        write_json(numbers, folder / "numbers.json")


def total_loss(model, documents):
    """Losses of all targets of all documents, summed in nats and divided once by their number."""
    n_targets = sum(len(ids) - 1 for ids in documents)
    total = torch.zeros(())
    for ids in documents:
        logits = model(input_ids=torch.tensor([ids])).logits[0]
        targets = torch.tensor(ids[1:], dtype=torch.long)
        total = total + torch.nn.functional.cross_entropy(logits[:-1], targets, reduction="sum")
    return total / n_targets


def train(model, documents, optimizer=None):
    """Losses before each of 20 steps of AdamW on the same batch of all documents."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    losses = []
    for _ in range(N_STEPS):
        loss = total_loss(model, documents)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses


def with_pairs(model, generator, **settings):
    """LoRA beside every linear; PEFT starts B at zero, where dA would be zero as well."""
    settings = dict(target_modules=LINEARS, **settings) if "target_modules" not in settings else settings
    config = LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", **settings)
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def pair_name(name):
    return name.removeprefix("base_model.model.").replace(".default.weight", "")


def save(tensors, path, dtype):
    tensors = {name: tensor.detach().to(dtype).contiguous() for name, tensor in sorted(tensors.items())}
    save_file(tensors, path, metadata={"format": "pt"})


def write_json(value, path):
    path.write_text(json.dumps(value, indent=1) + "\n")


def save_adapter(model, folder):
    """What PEFT writes, with the set of target modules in an order that stays."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    write_json({**config, "target_modules": sorted(config["target_modules"])}, folder / "adapter_config.json")
