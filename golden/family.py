"""What every family's `make.py` has in common: models, losses, gradients, files.

Not a script. A folder gets a checkpoint as Hugging Face publishes it, stored as bf16, and beside it

* `numbers.json`: the documents as ids, the mean loss over all their targets together, and 20 losses of
  full training; the same of a LoRA where there is one.
* `expected.safetensors`: `logits.<document>`, and the gradient of that mean loss by every parameter
  (`full.<name>`) and by every half of a low-rank pair (`lora.<module>.lora_A`, `.lora_B`), all in f32.
* `adapter/`: the pairs, B not zero, as PEFT saves them.

Every document is run by itself and losses are summed over targets and divided once, so a packed run must
give the same. Matrices are drawn wider than is usual (deviation 0.3) so that attention is far from even
and an error anywhere moves the logits.
"""

import json
from dataclasses import dataclass, field

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
    # What its configuration is told that stands in no file.
    options: dict = field(default_factory=dict)
    # Where pairs stand, as PEFT is told.
    pairs: dict = field(default_factory=lambda: dict(target_modules=LINEARS))
    learning_rate: float = LEARNING_RATE

    def empty(self, shape):
        return self.model(self.config(attn_implementation="eager", **self.options, **shape))

    def values(self, name, noise):
        """What a parameter is drawn as: gains are near one."""
        middle = 0.0 if name.endswith("bias") else 1.0
        return noise * DEVIATION if noise.dim() > 1 else middle + 0.1 * noise

    def new(self, shape, generator):
        """A model whose every number is drawn from `generator`, in order of the parameters."""
        model = self.empty(shape)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(self.values(name, noise).bfloat16())
        return model

    def published(self, parameters):
        """Parameters under the names they are published by."""
        return parameters

    def checkpoint(self, model, shape, folder):
        folder.mkdir(exist_ok=True)
        save(self.published(dict(model.named_parameters())), folder / "model.safetensors", torch.bfloat16)
        write_json({**self.kind, "torch_dtype": "bfloat16", **shape}, folder / "config.json")

    def reload(self, folder, shape):
        model = self.empty(shape)
        missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
        model.tie_weights()
        return model

    def make(self, folder, shape, seed, full=True, lora=False):
        """Everything of one shape; `lora`: an adapter as well."""
        generator = torch.Generator().manual_seed(seed)
        model = self.new(shape, generator)
        self.checkpoint(model, shape, folder)
        documents = [torch.randint(3, shape["vocab_size"], (n,), generator=generator).tolist() for n in LENGTHS]
        expected = logits(model, documents)
        again = logits(self.reload(folder, shape), documents)
        assert all(torch.equal(again[name], expected[name]) for name in expected), "the file is another model"
        numbers = dict(documents=documents, learning_rate=self.learning_rate)
        if full:
            outcome = self.outcome("full", self.reload(folder, shape), documents)
            expected, numbers = expected | outcome[0], numbers | outcome[1]
        if lora:
            model = with_pairs(self.reload(folder, shape), generator, **self.pairs)
            save_adapter(model, folder / "adapter")
            outcome = self.outcome("lora", model, documents)
            expected, numbers = expected | outcome[0], numbers | outcome[1]
        save(expected, folder / "expected.safetensors", torch.float32)
        write_json(numbers, folder / "numbers.json")

    def outcome(self, kind, model, documents):
        """Loss and gradients of a model, and the losses of training it."""
        loss = total_loss(model, documents)
        loss.backward()
        expected = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                expected[f"{kind}.{pair_name(name)}"] = parameter.grad
                parameter.grad = None
        losses = train(model, documents, rate=self.learning_rate)
        return expected, {"loss" if kind == "full" else "lora_loss": loss.item(), f"{kind}_losses": losses}


def logits(model, documents):
    with torch.no_grad():
        return {f"logits.{idx}": model(input_ids=torch.tensor([ids])).logits[0] for idx, ids in enumerate(documents)}


def total_loss(model, documents):
    """Losses of all targets of all documents, summed in nats and divided once by their number."""
    n_targets = sum(len(ids) - 1 for ids in documents)
    total = torch.zeros(())
    for ids in documents:
        logits = model(input_ids=torch.tensor([ids])).logits[0]
        targets = torch.tensor(ids[1:], dtype=torch.long)
        total = total + torch.nn.functional.cross_entropy(logits[:-1], targets, reduction="sum")
    return total / n_targets


def train(model, documents, optimizer=None, rate=LEARNING_RATE):
    """Losses before each of 20 steps of AdamW on the same batch of all documents."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
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


def save(tensors, path, dtype=None):
    """Tensors in the order of their names, as they are unless another type is said."""
    tensors = {name: tensor.detach().to(dtype or tensor.dtype).contiguous() for name, tensor in sorted(tensors.items())}
    save_file(tensors, path, metadata={"format": "pt"})


def write_json(value, path):
    path.write_text(json.dumps(value, indent=1) + "\n")


def save_adapter(model, folder):
    """What PEFT writes, with the set of target modules in an order that stays, and no place of this machine."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config |= {"target_modules": sorted(config["target_modules"]), "base_model_name_or_path": None}
    write_json(config, folder / "adapter_config.json")
