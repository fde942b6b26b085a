"""Makes values.safetensors: weights, and what they are worth after NF4 with doubled scales.

The steps are those of the QLoRA paper (arXiv 2305.14314, section 3 and appendix E), in torch's f32:
chunks of 64 under their largest magnitude, sixteen quantiles, scales less their mean in chunks of
256 under theirs, 256 dynamic steps. Nearest entries are found by comparing all distances.

    python make.py        (needs: torch, safetensors)
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


def main():
    torch.manual_seed(20260101)
    source = torch.randn(136, 128) * torch.rand(136, 1) * 0.2
    chunks = source.reshape(-1, 64)
    largest = chunks.abs().amax(1, keepdim=True)
    values = nearest(QUANTILES, chunks * (1.0 / largest))
    offset = largest.mean()
    scales = []
    for part in (largest - offset).flatten().split(256):
        outer = part.abs().max()
        scales.append(nearest(steps(), part * (1.0 / outer)) * outer + offset)
    values = values * torch.cat(scales).unsqueeze(1)
    save_file({"source": source, "values": values.reshape(source.shape)}, Path(__file__).parent / "values.safetensors")


main()
