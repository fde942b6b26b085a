"""Times llama.cpp reading a prompt, writing an answer, or answering many prompts, and prints JSON.

    python llama_cpp.py FILE.gguf prefill|decode|each [--threads N] [--rounds N]
                        (needs: llama-cpp-python, numpy)

prefill   a prompt of 512 tokens in one batch, one row of logits
decode    128 tokens after 8, each the likeliest
each      64 prompts of 16 to 47 tokens, one after the other, 64 likeliest tokens after each

The library is built from the package's own source for the processor it is built on. Calls go to its C
interface, which costs microseconds beside milliseconds of work. A round warms up and is not counted.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

# This file is called like the package.
sys.path = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]

import llama_cpp as api  # noqa: E402
import numpy as np  # noqa: E402

N_CONTEXT = 1024


class Model:
    def __init__(self, path, n_threads):
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        assert self.model, f"{path} cannot be loaded"
        params = api.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = N_CONTEXT
        params.n_threads = params.n_threads_batch = n_threads
        self.context = api.llama_init_from_model(self.model, params)
        self.n_vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))

    def clear(self):
        api.llama_memory_clear(api.llama_get_memory(self.context), True)

    def feed(self, ids):
        """Reads ids after those read before; returns the likeliest next."""
        row = (api.llama_token * len(ids))(*ids)
        failed = api.llama_decode(self.context, api.llama_batch_get_one(row, len(ids)))
        assert not failed, failed
        logits = api.llama_get_logits_ith(self.context, -1)
        return int(np.ctypeslib.as_array(logits, shape=(self.n_vocabulary,)).argmax())

    def write(self, prompt, n_new):
        token = self.feed(prompt)
        for _ in range(n_new - 1):
            token = self.feed([token])

    def ids(self, n_ids, first):
        return [(i * 7919 + 13 + first) % self.n_vocabulary for i in range(n_ids)]


def prefill(model, round_number):
    ids = model.ids(512, round_number)
    model.clear()
    start = time.perf_counter()
    model.feed(ids)
    return 512, time.perf_counter() - start


def decode(model, round_number):
    model.clear()
    token = model.feed(model.ids(8, round_number))
    start = time.perf_counter()
    for _ in range(128):
        token = model.feed([token])
    return 128, time.perf_counter() - start


def each(model, round_number):
    n_prompts = 64 if round_number else 2
    start = time.perf_counter()
    for prompt in range(n_prompts):
        model.clear()
        model.write(model.ids(16 + 32 * prompt // 64, round_number * 64 + prompt), 64)
    return n_prompts * 64, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("task", choices=["prefill", "decode", "each"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    model = Model(options.path, options.threads)
    work = dict(prefill=prefill, decode=decode, each=each)[options.task]
    rounds = [work(model, round_number) for round_number in range(1 + options.rounds)][1:]
    seconds = [s for _, s in rounds]
    median = statistics.median_low(seconds)
    figures = dict(
        tokens_per_s=rounds[0][0] / median,
        median_s=median,
        min_s=min(seconds),
        max_s=max(seconds),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
