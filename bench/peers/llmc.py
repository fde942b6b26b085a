"""Times GPT-2-124M steps of llm.c on the processor and prints one line of JSON.

    python llmc.py CHECKOUT WORKFOLDER [--batch 4x64] [--threads N] [--steps N]
                   (needs: numpy, and gcc or $CC)

CHECKOUT holds llm.c's sources. A copy of train_gpt2.c is changed in three places only: documents, tokens
of a document and number of steps. It is compiled as its Makefile does, with OpenMP. Weights and tokens
are random, in the files it reads; it validates and samples nothing before the last step.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
from pathlib import Path

import numpy as np

LAYERS, WIDTH, VOCABULARY, PADDED, CONTEXT, HEADS = 12, 768, 50257, 50304, 1024, 12
FLAGS = ["-Ofast", "-march=native", "-fopenmp", "-DOMP", "-Wno-unused-result"]


def write_model(path):
    draw = np.random.default_rng(1)
    head = np.zeros(256, np.int32)
    head[:8] = [20240326, 3, CONTEXT, VOCABULARY, LAYERS, HEADS, WIDTH, PADDED]
    d, f = WIDTH, 4 * WIDTH
    matrices = dict(wte=PADDED * d, wpe=CONTEXT * d)
    norm = [(LAYERS * d, 1.0), (LAYERS * d, 0.0)]
    linear = lambda n_out, n_in: [(LAYERS * n_out * n_in, None), (LAYERS * n_out, 0.0)]  # noqa: E731
    parts = [(n, None) for n in matrices.values()] + norm + linear(3 * d, d) + linear(d, d) + norm
    parts += linear(f, d) + linear(d, f) + [(d, 1.0), (d, 0.0)]
    with open(path, "wb") as file:
        head.tofile(file)
        for n, value in parts:
            values = draw.standard_normal(n, dtype=np.float32) * np.float32(0.02) if value is None else None
            (np.full(n, value, np.float32) if values is None else values).tofile(file)


def write_tokens(folder):
    folder.mkdir(parents=True, exist_ok=True)
    n = 40_000
    head = np.zeros(256, np.int32)
    head[:3] = [20240520, 1, n]
    for part in ("train", "val"):
        with open(folder / f"tiny_shakespeare_{part}.bin", "wb") as file:
            head.tofile(file)
            ((np.arange(n) * 7919 + 13) % VOCABULARY).astype(np.uint16).tofile(file)


def replaced(source, pattern, text):
    source, n = re.subn(pattern, text, source)
    assert n == 1, f"{pattern!r} was found {n} times in train_gpt2.c"
    return source


def build(checkout, folder, documents, tokens, steps):
    source = (checkout / "train_gpt2.c").read_text()
    source = replaced(source, r"int B = \d+;", f"int B = {documents};")
    source = replaced(source, r"int T = \d+;", f"int T = {tokens};")
    source = replaced(source, r"step <= \d+; step\+\+", f"step <= {steps}; step++")
    source = source.replace("if (step % 10 == 0)", "if (0)").replace("if (step > 0 && step % 20 == 0)", "if (0)")
    (folder / "train_gpt2.c").write_text(source)
    program = folder / "train_gpt2"
    compiler = os.environ.get("CC", "gcc")
    command = [compiler, *FLAGS, f"-I{checkout}", str(folder / "train_gpt2.c"), "-lm", "-o", str(program)]
    subprocess.run(command, check=True)
    return program.resolve()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch", default="4x64")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    documents, tokens = (int(part) for part in options.batch.split("x"))
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "gpt2_124M.bin").exists():
        write_model(folder / "gpt2_124M.bin")
    write_tokens(folder / "dev/data/tinyshakespeare")
    program = build(options.checkout, folder, documents, tokens, options.steps)
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads))
    done = subprocess.run([program], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    steps = re.findall(r"^step \d+: train loss ([\d.]+) \(took ([\d.]+) ms\)", done.stdout, re.M)
    seconds = [float(ms) / 1e3 for _, ms in steps][1:]
    median = statistics.median_low(seconds)
    figures = dict(
        tokens_per_s=documents * tokens / median,
        median_s=median,
        min_s=min(seconds),
        max_s=max(seconds),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        first_loss=float(steps[0][0]),
        last_loss=float(steps[-1][0]),
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
