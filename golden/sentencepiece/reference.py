"""What the sentencepiece library makes of a text: the other side of a check on real inputs.

    python reference.py MODEL TEXT        (needs: sentencepiece)

Prints one JSON object: ids of every line, and the text of every third line's ids in reverse.
"""

import json
import sys
from pathlib import Path

import sentencepiece

model, text = sys.argv[1:]
library = sentencepiece.SentencePieceProcessor(model_file=model)
lines = Path(text).read_bytes().decode("utf-8", "replace").split("\n")
ids = library.encode(lines)
print(json.dumps({"ids": ids, "texts": [library.decode(some[::-1]) for some in ids[::3]]}))
