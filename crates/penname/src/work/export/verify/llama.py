"""What llama.cpp makes of an export: `penname export --verify` runs this and compares.

    python -c THIS REQUEST.json         (needs: xllamacpp)

The request names a GGUF model, a GGUF adapter or nothing, prompts as ids, and how many ids are
wanted. The answer is JSON on the last line: for every prompt the ids chosen greedily and, at every
place, the log-probabilities of the likeliest ids; and the first of these places without the adapter.
Keys and values are kept in f32.
"""

import json
import sys

import xllamacpp as api


def server(request, adapter):
    params = api.CommonParams()
    params.model.path = request["model"]
    params.n_ctx = max(map(len, request["prompts"])) + request["n_new"] + 8
    params.n_parallel = 1
    params.warmup = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = request["threads"]
    params.cache_type_k = params.cache_type_v = api.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = api.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if adapter is not None:
        params.lora_adapters = [api.CommonAdapterLoraInfo(adapter, 1.0)]
    return api.Server(params)


def write(engine, prompt, n_new, top):
    asked = {
        "prompt": prompt,
        "n_predict": n_new,
        "n_probs": top,
        "samplers": ["top_k"],
        "top_k": 1,
        "cache_prompt": False,
    }
    found = engine.handle_completions(asked)
    if isinstance(found, str):
        found = json.loads(found)
    content = found["choices"][0]["logprobs"]["content"]
    steps = [[(one["id"], one["logprob"]) for one in place["top_logprobs"]] for place in content]
    return {"ids": [place["id"] for place in content], "steps": steps}


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    bare = None
    if request["adapter"] is not None:
        engine = server(request, None)
        bare = [write(engine, prompt, 1, request["top"]) for prompt in request["prompts"]]
        del engine
    engine = server(request, request["adapter"])
    answers = [write(engine, prompt, request["n_new"], request["top"]) for prompt in request["prompts"]]
    name = getattr(api, "BUILD_INFO", "")
    print(json.dumps({"engine": f"llama.cpp {name}".strip(), "answers": answers, "bare": bare}))


main()
