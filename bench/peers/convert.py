"""Writes a Llama-like GGUF file as a Hugging Face folder: f32 safetensors and config.json.

    python convert.py MODEL.gguf FOLDER        (needs: gguf, numpy, safetensors, transformers)

Weights are decoded by the `gguf` package. GGUF keeps the rows of the query and key projections in
the order in which rotary embedding pairs neighbours; Hugging Face pairs the two halves of a head,
so they are put back. The tokenizer is what transformers reads out of the file.
"""

import json
import sys
from pathlib import Path

import numpy as np
from gguf import GGUFReader, dequantize
from safetensors.numpy import save_file
from transformers import AutoTokenizer

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def published_name(name):
    if name in OUTSIDE:
        return OUTSIDE[name]
    block, layer, part, kind = name.split(".")
    assert (block, kind) == ("blk", "weight"), name
    return f"model.layers.{layer}.{LAYER[part]}.weight"


def halves(weight, n_heads):
    """Rows 0, 1, 2, 3, … of each head, paired (0, 1), (2, 3), become pairs half a head apart."""
    rows, cols = weight.shape
    return weight.reshape(n_heads, rows // n_heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def read_config(reader, tensors):
    arch = reader.fields["general.architecture"].contents()
    assert arch == "llama", arch

    def get(key, default=None):
        field = reader.fields.get(f"llama.{key}")
        return default if field is None else field.contents()

    def token(key):
        field = reader.fields.get(f"tokenizer.ggml.{key}")
        return None if field is None else int(field.contents())

    n_heads = get("attention.head_count")
    return dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_act="silu",
        hidden_size=get("embedding_length"),
        intermediate_size=get("feed_forward_length"),
        max_position_embeddings=get("context_length"),
        num_hidden_layers=get("block_count"),
        num_attention_heads=n_heads,
        num_key_value_heads=get("attention.head_count_kv", n_heads),
        # Stored as f32: the shortest decimal that means the same is the one that was published.
        rms_norm_eps=float(str(np.float32(get("attention.layer_norm_rms_epsilon")))),
        rope_theta=float(get("rope.freq_base", 10000.0)),
        vocab_size=tensors["model.embed_tokens.weight"].shape[0],
        bos_token_id=token("bos_token_id"),
        eos_token_id=token("eos_token_id"),
        tie_word_embeddings="lm_head.weight" not in tensors,
        torch_dtype="float32",
    )


def main():
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    reader = GGUFReader(source)
    tensors = {}
    for tensor in reader.tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        tensors[published_name(tensor.name)] = dequantize(tensor.data, tensor.tensor_type).reshape(shape)
    config = read_config(reader, tensors)
    for name, weight in tensors.items():
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-2])
        weight = halves(weight, config[heads]) if heads else weight
        tensors[name] = np.ascontiguousarray(weight, dtype=np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)
    # Last: where it is, the folder is whole.
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main()
