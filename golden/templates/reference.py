"""The other side of `cargo xtask kit`: ids of conversations in templates as they were published.

    python reference.py TOKENIZER OUT TEMPLATE...      (needs: transformers)

TOKENIZER is a folder, or one with GPT-2's `encoder.json` and `vocab.bpe`. Beside OUT it is written as it
was used, with the control tokens of every family. A template that refuses a conversation has null for
its ids.
"""

import json
import sys
from pathlib import Path

from make import CONTROLS, CONVERSATIONS
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast


def opened(folder):
    """A tokenizer with the control tokens of every family, and one to begin with."""
    if (folder / "encoder.json").exists():
        made = Tokenizer(models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe")))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        made.add_special_tokens(["<|endoftext|>"])
        return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    reader = AutoTokenizer.from_pretrained(folder)
    reader.bos_token = "<|endoftext|>"
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
    ends = dict(eos_token=reader.eos_token)
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
