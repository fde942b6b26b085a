"""Makes a small tokenizer, and the ids that transformers gives conversations in the built-in templates.

    python make.py        (needs: transformers, tokenizers)

* `tokenizer.json`: byte-level BPE of 400 pieces, learned from the conversations below, with the control
  tokens of every family.
* `expected.json`: for each template, conversation, prompt or not, and thinking or not, the ids of
  `apply_chat_template`.
"""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent
TEMPLATES = HERE.parent.parent / "crates/token/templates"
CONTROLS = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|begin_of_text|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|eot_id|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>",
    "<think>", "</think>",
]  # fmt: skip
# What ends an answer, by template; others end with <|im_end|>.
ENDS = {"llama3": "<|eot_id|>", "harmony": "<|return|>", "question-answer": "<|endoftext|>", "q-a": "<|endoftext|>",
        "text": "<|endoftext|>"}  # fmt: skip


def turns(*contents, system=None):
    roles = ["user", "assistant"] * len(contents)
    messages = [dict(role=role, content=content) for role, content in zip(roles, contents)]
    return ([dict(role="system", content=system)] if system else []) + messages


CONVERSATIONS = [
    turns("Why is the kettle always the first thing to break?"),
    turns("Why?", "Because nobody thanks it."),
    turns("May I keep bees on a balcony?", "You may.  Ask the bees first.\n\nThen ask below.", "And wasps?"),
    turns("Dürfen Bienen das? 蜂は？", "Ja – 是。", "Still?", "Still, 3.14 times over.", system="You answer letters. Be brief."),
    turns("It's 5 o'clock;\twhat now?", " Tea,\n\n\nthen.", system="One\n\nvoice."),
]


def tokenizer():
    """Nothing of it depends on chance: pairs are merged by how often they stand in the conversations."""
    made = Tokenizer(models.BPE())
    # As the vocabularies of Llama 3 and Qwen cut: line breaks stand together, whatever follows them.
    words = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=CONTROLS, show_progress=False)
    texts = [message["content"] for messages in CONVERSATIONS for message in messages]
    made.train_from_iterator(texts + ["QUESTION: ANSWER: Q: A: user assistant system developer final"] * 3, trainer)
    return made


def main():
    made = tokenizer()
    made.save(str(HERE / "tokenizer.json"))
    expected = []
    for path in sorted(TEMPLATES.glob("*.jinja")):
        name = path.stem
        eos = ENDS.get(name, "<|im_end|>")
        reader = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|begin_of_text|>", eos_token=eos)
        reader.chat_template = path.read_text()
        for at, messages in enumerate(CONVERSATIONS):
            prompt = messages[-1]["role"] == "user"
            for thinking in [False, True]:
                ids = reader.apply_chat_template(
                    messages, tokenize=True, return_dict=False, add_generation_prompt=prompt, enable_thinking=thinking
                )
                expected.append(dict(template=name, eos=eos, conversation=at, thinking=thinking, ids=list(ids)))
    rows = ",\n".join(json.dumps(row) for row in expected)
    conversations = json.dumps(CONVERSATIONS, ensure_ascii=False, indent=1)
    (HERE / "expected.json").write_text('{"conversations": %s,\n"rows": [\n%s\n]}\n' % (conversations, rows))


if __name__ == "__main__":
    main()
