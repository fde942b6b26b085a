"""Ids and texts of small vocabularies of pieces, from the sentencepiece library itself.

Trains three vocabularies on the bundled letters and writes what the library makes of awkward texts
and of random ids. Needs sentencepiece.
"""

import io
import json
import random
from pathlib import Path

import sentencepiece

HERE = Path(__file__).resolve().parent
# The script may be run in a folder of its own; the letters are those of the checkout it is run from.
LETTERS = next(
    dir / "examples/letters" for dir in [*HERE.parents, Path.cwd(), *Path.cwd().parents]
    if (dir / "examples/letters").is_dir()
)

AWKWARD = [
    "", " ", "  ", "   three spaces before", "and after   ", "a", "Hello", " Hello", "Hello  world",
    "Dear friend, I have lost 1984 buttons.", "one\ntwo\n\nthree\r\n", "tabs\tand\u00a0wide\u3000spaces",
    "naïve café, Ångström", "日本語のテキスト", "смешанный text", "🖋 and 👩‍👩‍👧", "e\u0301 combining",
    "aaaaaaaa aaaaaaa bbbb", "-----------", "<s> </s> <unk> <0x0A> ▁ ▁▁x", "<pause>stop<pause>", "ﬁne ﬂour",
    "x" * 40, "the the the the", "\u0000zero", "\ufffd", "don't can't won't", "A.B.C. 3.14", "１２３ ＡＢＣ",
]


def train(text, **settings):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.splitlines()), model_writer=model, num_threads=1, minloglevel=2,
        hard_vocab_limit=False, **settings,
    )
    return model.getvalue()


def cases(model, texts, seed):
    library = sentencepiece.SentencePieceProcessor(model_proto=model)
    draw = random.Random(seed)
    n = library.vocab_size()
    ids = [[draw.randrange(n) for _ in range(draw.randrange(1, 24))] for _ in range(60)]
    return {
        "encode": [{"text": text, "ids": library.encode(text)} for text in texts],
        "decode": [{"ids": some, "text": library.decode(some)} for some in ids],
    }


def main():
    text = "\n".join(path.read_text() for path in sorted(LETTERS.glob("week-*.txt")))
    models = {
        "bpe": train(
            text, model_type="bpe", vocab_size=520, byte_fallback=True, split_digits=True,
            allow_whitespace_only_pieces=True, normalization_rule_name="identity", character_coverage=1.0,
            remove_extra_whitespaces=False,
        ),
        "whole": train(
            text, model_type="bpe", vocab_size=200, user_defined_symbols=["<pause>", "Dear"], control_symbols=["<c>"],
            normalization_rule_name="identity", pad_id=3,
        ),
        "unigram": train(
            text, model_type="unigram", vocab_size=300, user_defined_symbols=["<pause>"],
            normalization_rule_name="identity",
        ),
    }
    lines = [line for line in text.splitlines() if line.strip()]
    expected = {}
    for name, model in models.items():
        (HERE / f"{name}.model").write_bytes(model)
        expected[name] = cases(model, AWKWARD + lines[::6], 7)
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=True, indent=0) + "\n")


if __name__ == "__main__":
    main()
