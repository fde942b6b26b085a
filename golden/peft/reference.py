"""What transformers and PEFT compute, for `cargo xtask kit --python` to compare with.

    python reference.py logits MODEL IDS.json OUT.safetensors [ADAPTER]
    python reference.py losses MODEL PLAN.json ADAPTER OUT.json
    python reference.py adapter MODEL OUT_FOLDER

        (needs: torch, transformers, peft, safetensors)

`logits` writes the logits of every row of every document, tensor `0`, `1`, …, in f32. `losses`
trains the adapter on the documents of the plan and writes the mean loss before each step.
`adapter` makes an adapter of its own, B not zero. MODEL is a Hugging Face folder; no tokenizer is
needed, since documents are ids.
"""

import json
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def load(folder, adapter=None, trainable=False):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter, is_trainable=trainable)
    return model


def read_json(path):
    with open(path) as file:
        return json.load(file)


def logits(folder, ids, out, adapter=None):
    model = load(folder, adapter).eval()
    tensors = {}
    with torch.no_grad():
        for idx, document in enumerate(read_json(ids)):
            tensors[str(idx)] = model(input_ids=torch.tensor([document])).logits[0].contiguous()
    save_file(tensors, out)


def losses(folder, plan, adapter, out):
    plan = read_json(plan)
    model = load(folder, adapter, trainable=True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=plan["learning_rate"], weight_decay=0.0)
    documents = [torch.tensor([ids]) for ids in plan["documents"]]
    n_targets = sum(ids.shape[1] - 1 for ids in documents)
    found = []
    for _ in range(plan["steps"]):
        total = 0.0
        for ids in documents:
            rows = model(input_ids=ids).logits[0, :-1]
            loss = torch.nn.functional.cross_entropy(rows, ids[0, 1:], reduction="sum") / n_targets
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found.append(total)
    with open(out, "w") as file:
        json.dump(found, file)


def adapter(folder, out):
    torch.manual_seed(7)
    config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=LINEARS, task_type="CAUSAL_LM")
    model = get_peft_model(load(folder), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.02)
    model.save_pretrained(out)


if __name__ == "__main__":
    {"logits": logits, "losses": losses, "adapter": adapter}[sys.argv[1]](*sys.argv[2:])
