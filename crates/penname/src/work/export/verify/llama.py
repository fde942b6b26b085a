"""What llama.cpp makes of an export: `penname export --verify` runs this and compares.

    python -c THIS REQUEST.json         (needs: xllamacpp, or llama-server on the path)

The request names a GGUF model, a GGUF adapter or nothing, prompts as ids, and what penname would
write to them. The answer is JSON on the last line: for every prompt the ids chosen greedily and, at every
place, the log-probabilities of the likeliest ids; and the first of these places without the adapter.
Keys and values are kept in f32.

llama.cpp is asked inside this process where there is xllamacpp, and otherwise as the program
llama-server, at an address of this machine that nobody else can reach.
"""

import importlib.metadata
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

try:
    import xllamacpp as api
except ImportError:
    api = None

START_SECONDS = 600
ANSWER_SECONDS = 3600


class Inside:
    """A server that is part of this process."""

    def __init__(self, request, adapter):
        params = api.CommonParams()
        params.model.path = request["model"]
        params.n_ctx = context(request)
        params.n_parallel = 1
        params.warmup = False
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = request["threads"]
        params.cache_type_k = params.cache_type_v = api.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = api.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if adapter is not None:
            params.lora_adapters = [api.CommonAdapterLoraInfo(adapter, 1.0)]
        self.name = f"llama.cpp in xllamacpp {importlib.metadata.version('xllamacpp')}"
        self.server = api.Server(params)

    def ask(self, asked):
        found = self.server.handle_completions(asked)
        found = json.loads(found) if isinstance(found, str) else found
        return found["choices"][0]["logprobs"]["content"]

    def close(self):
        del self.server


class Beside:
    """llama-server, started for these questions and ended after them."""

    def __init__(self, request, adapter):
        program = shutil.which("llama-server")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        threads = str(request["threads"])
        command = [program, "--model", request["model"], "--host", "127.0.0.1", "--port", str(port)]
        command += ["--ctx-size", str(context(request)), "--parallel", "1", "--no-warmup"]
        command += ["--threads", threads, "--threads-batch", threads, "--n-gpu-layers", "0"]
        command += ["--cache-type-k", "f32", "--cache-type-v", "f32", "--flash-attn", "off"]
        if adapter is not None:
            command += ["--lora", adapter]
        self.name = "llama-server " + version(program)
        self.address = f"http://127.0.0.1:{port}"
        # No proxy stands between this process and its own machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def wait(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                sys.exit(f"llama-server ended with {self.process.returncode}")
            try:
                with self.opener.open(self.address + "/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        sys.exit(f"llama-server did not begin within {START_SECONDS} s")

    def ask(self, asked):
        body = json.dumps(asked).encode()
        header = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + "/completion", body, header)
        with self.opener.open(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)["completion_probabilities"]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def context(request):
    return max(map(len, request["prompts"])) + request["n_new"] + 8


def version(program):
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    lines = [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("version")]
    return lines[0].partition(":")[2].strip() if lines else ""


def write(engine, prompt, expected, top):
    """Greedy, as long as penname would write the same, and one place further.

    The server leaves out a token that ends within a character, and one that ends the text. What it
    finds likely there is seen when that token is forbidden: its probabilities are those before.
    """
    ids, steps = [], []

    def ask(n, banned):
        return engine.ask(
            {
                "prompt": prompt + ids,
                "n_predict": n,
                "n_probs": top,
                "samplers": ["top_k"],
                "top_k": 1,
                "logit_bias": [[id, False] for id in banned],
                "cache_prompt": False,
            }
        )

    def take(place):
        steps.append([(one["id"], one["logprob"]) for one in place["top_logprobs"]])
        ids.append(steps[-1][0][0])

    while len(ids) < len(expected):
        for place in ask(len(expected) - len(ids), []):
            if place["id"] != expected[len(ids)]:
                break
            take(place)
        if len(ids) == len(expected):
            break
        wanted = expected[len(ids)]
        found = ask(1, [wanted])
        if not found:
            break
        take(found[0])
        if ids[-1] != wanted:
            break
    return {"ids": ids, "steps": steps}


def begin(engine, prompt, top):
    """The first place alone, whatever comes out."""
    asked = {"prompt": prompt, "n_predict": 1, "n_probs": top, "samplers": ["top_k"], "top_k": 1}
    found = engine.ask({**asked, "cache_prompt": False})
    steps = [[(one["id"], one["logprob"]) for one in place["top_logprobs"]] for place in found]
    return {"ids": [place["id"] for place in found], "steps": steps}


def answers(request, adapter, expected):
    engine = (Inside if api is not None else Beside)(request, adapter)
    top, prompts = request["top"], request["prompts"]
    try:
        if expected is None:
            return engine.name, [begin(engine, prompt, top) for prompt in prompts]
        pairs = zip(prompts, expected, strict=True)
        return engine.name, [write(engine, prompt, ids, top) for prompt, ids in pairs]
    finally:
        engine.close()


def main():
    with open(sys.argv[1]) as file:
        request = json.load(file)
    bare = None
    if request["adapter"] is not None:
        _, bare = answers(request, None, None)
    name, written = answers(request, request["adapter"], request["expected"])
    print(json.dumps({"engine": name, "answers": written, "bare": bare}))


main()
