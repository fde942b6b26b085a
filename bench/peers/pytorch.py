"""Times optimizer steps of PyTorch with PEFT and prints one line of JSON.

    python pytorch.py FOLDER --numbers f32|autocast|bf16 [--method lora|full] [--batch 4x256]
                      [--threads N] [--steps N] [--compile]        (needs: torch, transformers, peft)

FOLDER is a checkpoint; where it holds a config.json alone, weights are random.

f32       as it comes: everything in f32, eager, SDPA attention
autocast  frozen weights in bf16, adapters in f32, bf16 autocast around the forward pass
bf16      everything in bf16, the adapters and their moments too

No KV cache, no gradient checkpointing, fused AdamW, gradients clipped to norm 1. The batch is that
of `cargo xtask bench step`: token i is (7919·i + 13) mod V, and the labels are the tokens.
"""

import argparse
import contextlib
import json
import resource
import statistics
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

N_WARM = 2
LINEARS = {
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--numbers", choices=["f32", "autocast", "bf16"], default="f32")
    parser.add_argument("--method", choices=["lora", "full"], default="lora")
    parser.add_argument("--batch", default="4x256")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    return parser.parse_args()


def load(folder, numbers, method):
    # Trained weights stay in f32 under autocast; frozen ones need not.
    narrow = numbers == "bf16" or (numbers == "autocast" and method == "lora")
    dtype = torch.bfloat16 if narrow else torch.float32
    if (Path(folder) / "model.safetensors").exists():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
    else:
        config = AutoConfig.from_pretrained(folder)
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")
    if method == "lora":
        kind = model.config.model_type
        config = LoraConfig(
            r=16,
            lora_alpha=32,
            lora_dropout=0.0,
            target_modules=LINEARS[kind],
            fan_in_fan_out=kind == "gpt2",
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, config, autocast_adapter_dtype=numbers != "bf16")
    model.config.use_cache = False
    return model.train()


def batch_of(text, vocabulary):
    documents, tokens = (int(part) for part in text.split("x"))
    ids = (torch.arange(documents * tokens) * 7919 + 13) % vocabulary
    return ids.view(documents, tokens)


def main():
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = load(options.folder, options.numbers, options.method)
    ids = batch_of(options.batch, model.config.vocab_size)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    run = torch.compile(model) if options.compile else model
    seconds, losses = [], []
    for _ in range(N_WARM + options.steps):
        start = time.perf_counter()
        cast = torch.autocast("cpu", torch.bfloat16) if options.numbers == "autocast" else contextlib.nullcontext()
        with cast:
            loss = run(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    counted = seconds[N_WARM:]
    median = statistics.median_low(counted)
    figures = dict(
        tokens_per_s=ids.numel() / median,
        median_s=median,
        min_s=min(counted),
        max_s=max(counted),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        first_step_s=seconds[0],
        first_loss=losses[0],
        last_loss=losses[-1],
        threads=torch.get_num_threads(),
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
