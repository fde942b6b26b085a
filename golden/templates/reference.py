"""The other side of `cargo xtask kit`: ids of conversations in templates as they were published.

    python reference.py TOKENIZER OUT TEMPLATE...      (needs: transformers, protobuf, tiktoken)

TOKENIZER is a folder as transformers reads it, or one with GPT-2's `encoder.json` and `vocab.bpe`,
Llama-2's `tokenizer.model`, or `o200k_base.tiktoken`. Beside OUT it is written as it was used, with the
control tokens of every family. A template that refuses a conversation has null for its ids.
"""

import json
import sys
from pathlib import Path

from make import CONTROLS, CONVERSATIONS
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import TikTokenConverter

# How gpt-oss cuts text into words, and its control tokens, which are the last of 201 088 ids.
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
HARMONY = {
    199998: "<|startoftext|>", 199999: "<|endoftext|>", 200002: "<|return|>", 200003: "<|constrain|>",
    200005: "<|channel|>", 200006: "<|start|>", 200007: "<|end|>", 200008: "<|message|>", 200012: "<|call|>",
}  # fmt: skip


def harmony(path):
    """The vocabulary of gpt-oss: that of GPT-4o, with control tokens of its own."""
    controls = [HARMONY.get(id, f"<|reserved_{id}|>") for id in range(199998, 200019)]
    made = TikTokenConverter(str(path), pattern=O200K, extra_special_tokens=controls).converted()
    assert made.token_to_id("<|call|>") == 200012, made.token_to_id("<|call|>")
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|startoftext|>", eos_token="<|return|>")


def opened(folder):
    """A tokenizer with the control tokens of every family, and one to begin with."""
    if (folder / "encoder.json").exists():
        made = Tokenizer(models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe")))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        made.add_special_tokens(["<|endoftext|>"])
        return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    if (folder / "o200k_base.tiktoken").exists():
        reader = harmony(folder / "o200k_base.tiktoken")
    elif (folder / "tokenizer.model").exists():
        reader = LlamaTokenizer.from_pretrained(folder)
    else:
        reader = AutoTokenizer.from_pretrained(folder)
        reader.bos_token = reader.bos_token or "<|endoftext|>"
    reader.add_tokens([AddedToken(token, special=True) for token in CONTROLS if token not in reader.get_vocab()])
    return reader


def ids(reader, messages, thinking):
    prompt = messages[-1]["role"] == "user"
    options = dict(tokenize=True, return_dict=False, add_generation_prompt=prompt, enable_thinking=thinking)
    try:
        return list(reader.apply_chat_template(messages, **options))
    except Exception as refusal:
        print(f"refused: {refusal}", file=sys.stderr)
        return None


def main():
    folder, out, *templates = map(Path, sys.argv[1:])
    reader = opened(folder)
    reader.backend_tokenizer.save(str(out.parent / "tokenizer.json"))
    ends = dict(bos_token=reader.bos_token, eos_token=reader.eos_token)
    (out.parent / "tokenizer_config.json").write_text(json.dumps(ends))
    rows = []
    for path in templates:
        reader.chat_template = path.read_text()
        for at, messages in enumerate(CONVERSATIONS):
            for thinking in [False, True]:
                found = ids(reader, messages, thinking)
                rows.append(dict(template=str(path), conversation=at, thinking=thinking, ids=found))
    out.write_text(json.dumps(dict(conversations=CONVERSATIONS, rows=rows)))


if __name__ == "__main__":
    main()
