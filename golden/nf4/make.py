"""Makes values.safetensors: weights, and what they are worth after NF4 with doubled scales.

The steps are those of the QLoRA paper (arXiv 2305.14314, section 3 and appendix E), in torch's f32:
chunks of 64 under their largest magnitude, sixteen quantiles, scales less their mean in chunks of
256 under theirs, 256 dynamic steps. Nearest entries are found by comparing all distances.

    python make.py        (needs: torch, safetensors)

Where bitsandbytes can be imported, its own quantizer has to give the same numbers to the last bit.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

QUANTILES = torch.tensor(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
)  # fmt: skip


def steps():
    table = [0.0, 1.0]
    for power in range(7):
        edges = torch.linspace(0.1, 1, 2**power + 1, dtype=torch.float32)
        middles = 10 ** (power - 6) * ((edges[:-1] + edges[1:]) / 2)
        table += middles.tolist() + (-middles).tolist()
    return torch.tensor(sorted(table))


def nearest(table, x):
    return table[(x.double().unsqueeze(-1) - table.double()).abs().argmin(-1)]


def rounded(weights):
    """What weights are worth after NF4 with doubled scales."""
    chunks = weights.reshape(-1, 64)
    largest = chunks.abs().amax(1, keepdim=True)
    values = nearest(QUANTILES, chunks * (1.0 / largest))
    offset = largest.mean()
    scales = []
    for part in (largest - offset).flatten().split(256):
        outer = part.abs().max()
        scales.append(nearest(steps(), part * (1.0 / outer)) * outer + offset)
    return (values * torch.cat(scales).unsqueeze(1)).reshape(weights.shape)


def check(source, values):
    """Holds the numbers to those of bitsandbytes on the processor, if it is there."""
    try:
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit
    except ImportError:
        return print("bitsandbytes is not installed: not compared with it")
    codes, state = quantize_4bit(source, blocksize=64, compress_statistics=True, quant_type="nf4")
    assert torch.equal(dequantize_4bit(codes, state), values), "bitsandbytes gives other numbers"
    print(f"{values.numel()} numbers equal those of bitsandbytes")


def main():
    torch.manual_seed(20260101)
    source = torch.randn(136, 128) * torch.rand(136, 1) * 0.2
    values = rounded(source)
    check(source, values)
    save_file({"source": source, "values": values}, Path(__file__).parent / "values.safetensors")


if __name__ == "__main__":
    main()
