"""Makes a two-layer random GPT-2 and what transformers and PEFT compute from it in f32.

    python make.py        (needs: torch, transformers, peft, safetensors)

What `tied/` holds is said in `../family.py`; linears lie as (in, out), in the checkpoint as in
`full.<name>`, and PEFT saves pairs beside them with `fan_in_fan_out`. `bare/` holds the same weights as
GPT-2's first files have them: names without `transformer.`, and with the buffers `attn.bias` and
`attn.masked_bias`.
"""

import sys
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from family import Family  # noqa: E402

SHAPE = dict(
    n_layer=2,
    n_head=3,
    n_embd=24,
    n_inner=56,
    n_positions=20,
    vocab_size=96,
    layer_norm_epsilon=1e-5,
    bos_token_id=1,
    eos_token_id=2,
)
KIND = dict(architectures=["GPT2LMHeadModel"], model_type="gpt2", activation_function="gelu_new")
NO_DROPOUT = dict(attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)
PAIRS = dict(target_modules=["c_attn", "c_fc", "c_proj"], fan_in_fan_out=True)


class Bare(Family):
    """The same weights under GPT-2's first names, with what its first files hold beside them."""

    def published(self, parameters):
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in parameters.items()}
        n = SHAPE["n_positions"]
        for layer in range(SHAPE["n_layer"]):
            tensors[f"h.{layer}.attn.bias"] = torch.ones(n, n).tril().view(1, 1, n, n)
            tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-10000.0)
        return tensors


if __name__ == "__main__":
    torch.set_num_threads(1)
    classes = (GPT2Config, GPT2LMHeadModel, KIND, NO_DROPOUT, PAIRS)
    family, bare = Family(*classes), Bare(*classes)
    family.make(HERE / "tied", SHAPE, seed=20250103, lora=True)
    bare.checkpoint(family.reload(HERE / "tied", SHAPE), SHAPE, HERE / "bare")
