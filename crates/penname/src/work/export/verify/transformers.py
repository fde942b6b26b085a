"""What transformers and PEFT make of an export: `penname export --verify` runs this and compares.

    python -c THIS REQUEST.json         (needs: torch, transformers; peft for an adapter)

The request names a model folder, an adapter folder or nothing, prompts as ids, and how many ids are
wanted. The answer is JSON on the last line: for every prompt the ids chosen greedily and, at every
place, the log-probabilities of the likeliest ids; and the first of these places without the adapter.
"""

import json
import sys

import torch
import transformers


def write(model, prompt, n_new, top):
    """Greedy, without an end: where a voice ends is not asked here."""
    ids, steps, cache = [], [], None
    rows = torch.tensor([prompt])
    for _ in range(n_new):
        out = model(input_ids=rows, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        logs = out.logits[0, -1].float().log_softmax(-1)
        best = logs.topk(top)
        steps.append(list(zip(best.indices.tolist(), best.values.tolist())))
        ids.append(steps[-1][0][0])
        rows = torch.tensor([[ids[-1]]])
    return {"ids": ids, "steps": steps}


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    torch.set_num_threads(request["threads"])
    engine = f"transformers {transformers.__version__}"
    model = transformers.AutoModelForCausalLM.from_pretrained(request["model"], dtype=torch.float32).eval()
    with torch.no_grad():
        bare = None
        if request["adapter"] is not None:
            import peft

            engine += f", peft {peft.__version__}"
            bare = [write(model, prompt, 1, request["top"]) for prompt in request["prompts"]]
            model = peft.PeftModel.from_pretrained(model, request["adapter"]).eval()
        answers = [write(model, prompt, request["n_new"], request["top"]) for prompt in request["prompts"]]
    print(json.dumps({"engine": engine, "answers": answers, "bare": bare}))


main()
