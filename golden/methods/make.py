"""Makes what PEFT and torch compute with every method of training, in f32.

    python make.py        (needs: torch, transformers, peft, bitsandbytes, safetensors; after the families)

Models and documents are those of the families beside this folder, unless they are said to be wide. A
run is 20 steps of AdamW as in `family.py`.

* `numbers.json`, by family and method: the losses of a run. `lora_plus`: PEFT's optimizer with B
  four times as fast. `decay`: full training with a weight decay of 0.5 that leaves out biases,
  norms and embeddings. `ema`: full training, and after each step the loss of torch's running average
  of the weights, β = 0.8. `dora`: DoRA beside every linear. `qlora`: a LoRA beside linears that were
  rounded to NF4 with doubled scales by the formulae of ../nf4. Beside experts, pairs are beside the
  linears of attention, and qlora rounds the matrices of experts as well. `adamw8`: full training of the wide
  models by bitsandbytes' AdamW8bit at a tenth of the rate, where a rounded moment is not magnified.
* `<family>-dora/`: the adapter as PEFT saves it, and in `expected.safetensors` the gradient of the
  mean loss by every part of it (`dora.<module>.lora_A`, `.lora_B`, `.lora_magnitude_vector`) and the
  `logits.<document>` of the merged model.
* `dynamic.safetensors`: bitsandbytes' code books for numbers of both `signs` and for those `above` zero;
  numbers `x`, and the `codes` and `largest` magnitudes that it makes of blocks of 256 of them.
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
from transformers import AutoModelForCausalLM, GptOssConfig, GptOssForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

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
MOE = shared.Family(
    Qwen3MoeConfig, Qwen3MoeForCausalLM, dict(KIND, architectures=["Qwen3MoeForCausalLM"], model_type="qwen3_moe")
)
GPT_OSS = shared.Family(
    GptOssConfig, GptOssForCausalLM, dict(KIND, architectures=["GptOssForCausalLM"], model_type="gpt_oss")
)
# Experts as wide as NF4's chunks are long.
MOE_WIDE = dict(
    WIDE,
    num_hidden_layers=1,
    num_experts=4,
    num_experts_per_tok=2,
    moe_intermediate_size=64,
    norm_topk_prob=True,
    tie_word_embeddings=False,
)
GPT_OSS_WIDE = dict(
    WIDE,
    num_hidden_layers=1,
    num_local_experts=4,
    num_experts_per_tok=2,
    swiglu_limit=2.0,
    sliding_window=5,
    layer_types=["sliding_attention"],
    rope_parameters=dict(rope_type="default", rope_theta=10000.0),
    attention_bias=True,
    tie_word_embeddings=False,
)
ATTENTION = dict(target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
# What sends a token to other experts changes the loss at once, so mixtures learn at half the rate.
MOE_RATE = shared.LEARNING_RATE / 2


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


def dora(name, folder, **settings):
    generator = torch.Generator().manual_seed(20261129)
    model, documents = opened(folder)
    model = shared.with_pairs(model, generator, use_dora=True, **settings)
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
    rate = json.loads((folder / "numbers.json").read_text())["learning_rate"]
    losses = shared.train(model, documents, torch.optim.AdamW(trained.values(), lr=rate, weight_decay=0.0))
    base, _ = opened(folder)
    merged = PeftModel.from_pretrained(base, out / "adapter").merge_and_unload()
    with torch.no_grad():
        for idx, ids in enumerate(documents):
            expected[f"logits.{idx}"] = merged(input_ids=torch.tensor([ids])).logits[0]
    shared.save(expected, out / "expected.safetensors", torch.float32)
    return losses


def round_linears(model, turned):
    """Linears of blocks, and the matrices of experts one by one; `turned`: they lie as (in, out)."""
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if any(f"{linear}.weight" in key for linear in shared.LINEARS):
                parameter.copy_(nf4.rounded(parameter))
            elif key.endswith(("experts.gate_up_proj", "experts.down_proj")):
                for matrix in parameter:
                    matrix.copy_(nf4.rounded(matrix.T.contiguous()).T if turned else nf4.rounded(matrix))


def qlora(name, family, shape=WIDE, rate=shared.LEARNING_RATE, **settings):
    """A wide model, whose linears are rounded before pairs are laid beside them."""
    generator = torch.Generator().manual_seed(20261130)
    folder = HERE / f"{name}-wide"
    family.checkpoint(family.new(shape, generator), shape, folder)
    documents = [torch.randint(3, shape["vocab_size"], (n,), generator=generator).tolist() for n in shared.LENGTHS]
    model = family.reload(folder, shape)
    round_linears(model, turned=name == "gpt_oss")
    model = shared.with_pairs(model, generator, **settings)
    shared.save_adapter(model, folder / "adapter")
    shared.write_json(dict(documents=documents, learning_rate=rate), folder / "numbers.json")
    trained = [p for p in model.parameters() if p.requires_grad]
    return shared.train(model, documents, torch.optim.AdamW(trained, lr=rate, weight_decay=0.0))


def adamw8(folder):
    """bitsandbytes' losses."""
    from bitsandbytes.optim import AdamW8bit

    model, documents = opened(folder)
    optimizer = AdamW8bit(model.parameters(), lr=shared.LEARNING_RATE / 10, weight_decay=0.0)
    return shared.train(model, documents, optimizer)


def dynamic():
    from bitsandbytes.functional import create_dynamic_map, quantize_blockwise

    generator = torch.Generator().manual_seed(20261201)
    signs, above = create_dynamic_map(signed=True), create_dynamic_map(signed=False)
    x = torch.randn(3000, generator=generator) * torch.exp(3 * torch.randn(3000, generator=generator))
    codes, state = quantize_blockwise(x, code=signs, blocksize=256)
    tensors = dict(signs=signs, above=above, x=x, codes=codes, largest=state.absmax)
    shared.save(tensors, HERE / "dynamic.safetensors", torch.float32)


def main():
    torch.set_num_threads(1)
    dynamic()
    family = lambda name: HERE.parent / name / "tied"  # noqa: E731
    numbers = {
        "lora_plus": {name: lora_plus(family(name)) for name in ["llama", "qwen3"]},
        "decay": {name: decay(family(name)) for name in ["llama", "qwen2"]},
        "ema": {name: ema(family(name)) for name in ["llama", "qwen3"]},
        "dora": {
            "llama": dora("llama", family("llama")),
            "gpt2": dora("gpt2", family("gpt2"), target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True),
            "qwen3": dora("qwen3", family("qwen3")),
            "qwen3_moe": dora("qwen3_moe", HERE.parent / "qwen3_moe" / "renormalised", **ATTENTION),
            "gpt_oss": dora("gpt_oss", HERE.parent / "gpt_oss" / "fused", **ATTENTION),
        },
        "qlora": {
            "llama": qlora("llama", LLAMA),
            "qwen3": qlora("qwen3", QWEN3),
            "qwen3_moe": qlora("qwen3_moe", MOE, MOE_WIDE, MOE_RATE, **ATTENTION),
            "gpt_oss": qlora("gpt_oss", GPT_OSS, GPT_OSS_WIDE, MOE_RATE, **ATTENTION),
        },
        "adamw8": {name: adamw8(HERE / f"{name}-wide") for name in ["llama", "qwen3"]},
    }
    shared.write_json(numbers, HERE / "numbers.json")


if __name__ == "__main__":
    main()
