"""Times many prompts answered in one batch by transformers and prints one line of JSON.

    python generate.py FOLDER [--prompts 64] [--tokens 64] [--shortest 16] [--numbers f32|bf16]
                       [--threads N] [--rounds N]        (needs: torch, transformers)

The prompts are those of `cargo xtask bench batch`: the longest is nearly three times the shortest, and
token i of prompt p in round r is (7919·i + 13 + r·prompts + p) mod V. Shorter ones are padded on the
left, as `generate` wants it. Ids written are counted, not those read.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from transformers import AutoModelForCausalLM


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--shortest", type=int, default=16)
    parser.add_argument("--numbers", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


def prompts_of(options, round_number, vocabulary):
    lengths = [options.shortest + 2 * options.shortest * p // options.prompts for p in range(options.prompts)]
    ids = torch.zeros(options.prompts, max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for p, length in enumerate(lengths):
        first = 13 + round_number * options.prompts + p
        ids[p, -length:] = (torch.arange(length) * 7919 + first) % vocabulary
        mask[p, -length:] = 1
    return ids, mask


def main():
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    dtype = torch.bfloat16 if options.numbers == "bf16" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(options.folder, dtype=dtype, attn_implementation="sdpa").eval()
    seconds = []
    for round_number in range(1 + options.rounds):
        ids, mask = prompts_of(options, round_number, model.config.vocab_size)
        n_new = options.tokens if round_number else 2
        start = time.perf_counter()
        with torch.inference_mode():
            answers = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=n_new,
                min_new_tokens=n_new,
                do_sample=False,
                pad_token_id=0,
            )
        if round_number:
            seconds.append(time.perf_counter() - start)
        assert answers.shape[1] == ids.shape[1] + n_new, answers.shape
    median = statistics.median_low(seconds)
    figures = dict(
        tokens_per_s=options.prompts * options.tokens / median,
        median_s=median,
        min_s=min(seconds),
        max_s=max(seconds),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
