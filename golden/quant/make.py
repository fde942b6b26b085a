"""Makes blocks.safetensors: random blocks of every format, and the values they stand for.

The values come from the `gguf` package's reference decoder; `source` and the `encoded` of a format
are values and the blocks its reference encoder makes of them. Random bytes are legal blocks, so the
bytes are random throughout, except that half-precision scales are drawn finite, and the first
blocks of each format carry the extreme ones by name: zero, negative zero, the smallest subnormal,
the largest finite number, infinity.

    python make.py        (needs: gguf, numpy, safetensors)
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants
from safetensors.numpy import save_file

# name: (bytes of a block, byte offsets of its half-precision scales, number of blocks)
FORMATS = {
    "F16": (2, [0], 64),
    "BF16": (2, [], 64),
    "Q4_0": (18, [0], 12),
    "Q4_1": (20, [0, 2], 12),
    "Q5_0": (22, [0], 12),
    "Q5_1": (24, [0, 2], 12),
    "Q8_0": (34, [0], 12),
    "Q4_K": (144, [0, 2], 10),
    "Q5_K": (176, [0, 2], 10),
    "Q6_K": (210, [208], 10),
}
EXTREME = np.array([0x0000, 0x8000, 0x0001, 0x7BFF, 0xFBFF, 0x7C00], dtype=np.uint16)


def blocks_of(rng, size, scales, count):
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in scales:
        halves = rng.integers(0, 0x7C00, count, dtype=np.uint16) | (rng.integers(0, 2, count, dtype=np.uint16) << 15)
        halves[: len(EXTREME)] = np.roll(EXTREME, offset)
        blocks[:, offset : offset + 2] = halves.view(np.uint8).reshape(count, 2)
    return blocks


def main():
    rng = np.random.Generator(np.random.PCG64(20250101))
    tensors = {}
    for name, (size, scales, count) in FORMATS.items():
        blocks = blocks_of(rng, size, scales, count)
        with np.errstate(invalid="ignore", over="ignore"):
            values = quants.dequantize(blocks, Type[name]).astype(np.float32)
        tensors[f"{name}.blocks"] = blocks.reshape(-1)
        tensors[f"{name}.values"] = values.reshape(-1)
    source = (rng.standard_normal((8, 32)) * np.float32(10.0) ** rng.integers(-6, 4, (8, 1))).astype(np.float32)
    source[0] = 0
    tensors["source"] = source.reshape(-1)
    for name in ("Q4_0", "Q8_0"):
        tensors[f"{name}.encoded"] = quants.quantize(source, Type[name]).reshape(-1)
    # Drawn last, and from a generator of its own: what was there before stays as it is.
    blocks = blocks_of(np.random.Generator(np.random.PCG64(20261127)), 17, [], 12)
    blocks[:6, 0] = [0, 1, 2, 127, 128, 254]
    tensors["MXFP4.blocks"] = blocks.reshape(-1)
    tensors["MXFP4.values"] = quants.dequantize(blocks, Type.MXFP4).astype(np.float32).reshape(-1)
    save_file(tensors, Path(__file__).parent / "blocks.safetensors")


if __name__ == "__main__":
    main()
