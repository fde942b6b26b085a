"""Makes what PEFT and torch compute with every method of training, in f32.

    python make.py        (needs: torch, transformers, peft, safetensors; after ../llama, ../qwen2, ../qwen3)

Models and documents are those of the families beside this folder, unless they are said to be wide. A
run is 20 steps of AdamW as in `family.py`.

* `numbers.json`, by family and method: the losses of a run. `lora_plus`: PEFT's optimizer with B
  four times as fast. `decay`: full training with a weight decay of 0.5 that leaves out biases,
  norms and embeddings. `ema`: full training, and after each step the loss of torch's running average
  of the weights, β = 0.8. `dora`: DoRA beside every linear. `qlora`: a LoRA beside linears that were
  rounded to NF4 with doubled scales by the formulae of ../nf4.
* `<family>-dora/`: the adapter as PEFT saves it, and in `expected.safetensors` the gradient of the
  mean loss by every part of it (`dora.<module>.lora_A`, `.lora_B`, `.lora_magnitude_vector`) and the
  `logits.<document>` of the merged model.
* `<family>-wide/`: a model whose linears are a multiple of 64 wide, with an adapter; its checkpoint
  is not rounded.
"""

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from peft.optimizers import create_loraplus_optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "nf4")]
import family as shared  # noqa: E402
import make as nf4  # noqa: E402

WIDE = dict(
    hidden_size=64,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=64,
    intermediate_size=64,
    num_hidden_layers=2,
    vocab_size=64,
    max_position_embeddings=128,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
    bos_token_id=1,
    eos_token_id=2,
)
KIND = dict(hidden_act="silu", attention_dropout=0.0)
LLAMA = shared.Family(LlamaConfig, LlamaForCausalLM, dict(KIND, architectures=["LlamaForCausalLM"], model_type="llama"))
QWEN3 = shared.Family(Qwen3Config, Qwen3ForCausalLM, dict(KIND, architectures=["Qwen3ForCausalLM"], model_type="qwen3"))


def opened(folder):
    """The model of a family, and its documents."""
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    model.eval()
    return model, json.loads((folder / "numbers.json").read_text())["documents"]


def adapted(folder):
    model, documents = opened(folder)
    return PeftModel.from_pretrained(model, folder / "adapter", is_trainable=True), documents


def lora_plus(folder):
    model, documents = adapted(folder)
    optimizer = create_loraplus_optimizer(
        model, torch.optim.AdamW, lr=shared.LEARNING_RATE, loraplus_lr_ratio=4, weight_decay=0.0
    )
    return shared.train(model, documents, optimizer)


def decay(folder):
    model, documents = opened(folder)
    spared = lambda name: name.endswith("bias") or "norm" in name or "embed_tokens" in name  # noqa: E731
    groups = [
        dict(params=[p for n, p in model.named_parameters() if not spared(n)], weight_decay=0.5),
        dict(params=[p for n, p in model.named_parameters() if spared(n)], weight_decay=0.0),
    ]
    return shared.train(model, documents, torch.optim.AdamW(groups, lr=shared.LEARNING_RATE))


def ema(folder):
    """The loss of the average after each step."""
    model, documents = opened(folder)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    losses = []

    class Watched(torch.optim.AdamW):
        def step(self, closure=None):
            super().step(closure)
            average.update_parameters(model)
            with torch.no_grad():
                losses.append(shared.total_loss(average.module, documents).item())

    shared.train(model, documents, Watched(model.parameters(), lr=shared.LEARNING_RATE, weight_decay=0.0))
    return losses


def dora(name, folder):
    generator = torch.Generator().manual_seed(20261129)
    model, documents = opened(folder)
    turned = dict(target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True) if name == "gpt2" else {}
    model = shared.with_pairs(model, generator, use_dora=True, **turned)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "magnitude" in key:
                parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=generator))
    out = HERE / f"{name}-dora"
    shared.save_adapter(model, out / "adapter")
    shared.total_loss(model, documents).backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    expected = {f"dora.{shared.pair_name(n)}": p.grad.clone() for n, p in trained.items()}
    for parameter in trained.values():
        parameter.grad = None
    losses = shared.train(model, documents)
    base, _ = opened(folder)
    merged = PeftModel.from_pretrained(base, out / "adapter").merge_and_unload()
    with torch.no_grad():
        for idx, ids in enumerate(documents):
            expected[f"logits.{idx}"] = merged(input_ids=torch.tensor([ids])).logits[0]
    shared.save(expected, out / "expected.safetensors", torch.float32)
    return losses


def qlora(name, family):
    """A wide model, whose linears are rounded before pairs are laid beside them."""
    generator = torch.Generator().manual_seed(20261130)
    folder = HERE / f"{name}-wide"
    family.checkpoint(family.new(WIDE, generator), WIDE, folder)
    documents = [torch.randint(3, WIDE["vocab_size"], (n,), generator=generator).tolist() for n in shared.LENGTHS]
    model = family.reload(folder, WIDE)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if any(f"{linear}.weight" in key for linear in shared.LINEARS):
                parameter.copy_(nf4.rounded(parameter))
    model = shared.with_pairs(model, generator)
    shared.save_adapter(model, folder / "adapter")
    shared.write_json(dict(documents=documents, learning_rate=shared.LEARNING_RATE), folder / "numbers.json")
    return shared.train(model, documents)


def main():
    torch.set_num_threads(1)
    family = lambda name: HERE.parent / name / "tied"  # noqa: E731
    numbers = {
        "lora_plus": {name: lora_plus(family(name)) for name in ["llama", "qwen3"]},
        "decay": {name: decay(family(name)) for name in ["llama", "qwen2"]},
        "ema": {name: ema(family(name)) for name in ["llama", "qwen3"]},
        "dora": {name: dora(name, family(name)) for name in ["llama", "gpt2", "qwen3"]},
        "qlora": {"llama": qlora("llama", LLAMA), "qwen3": qlora("qwen3", QWEN3)},
    }
    shared.write_json(numbers, HERE / "numbers.json")


if __name__ == "__main__":
    main()
