"""Times near duplicates found by datatrove in a file of JSON lines and prints one line of JSON.

    python dedup.py FILE.jsonl [--work FOLDER]          (needs: datatrove[processing], spacy)

The four steps of its MinHash pipeline, one task after the other in this process: signatures of runs of
five words in 14 bands of 8 numbers, which is also what penname takes at a Jaccard of 0.8; buckets;
clusters; and the filter, which writes what is kept. It compares no texts afterwards, cleans nothing and
judges nothing.
"""

import argparse
import json
import os
import resource
import shutil
import tempfile
import time

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--work", default=None)
    return parser.parse_args()


def main():
    options = arguments()
    work = tempfile.mkdtemp(dir=options.work)
    at = lambda name: os.path.join(work, name)
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HashConfig(precision=64))
    reader = lambda: JsonlReader(os.path.dirname(os.path.abspath(options.file)), glob_pattern=os.path.basename(options.file))
    steps = {
        "signatures": [reader(), MinhashDedupSignature(at("signatures"), config=config)],
        "buckets": [MinhashDedupBuckets(at("signatures"), at("buckets"), config=config)],
        "clusters": [MinhashDedupCluster(at("buckets"), at("remove"), config=config)],
        "filter": [reader(), MinhashDedupFilter(at("remove")), JsonlWriter(at("kept"), compression=None)],
    }
    seconds = {}
    for name, pipeline in steps.items():
        # Buckets are a task each; they run one after the other.
        tasks = config.num_buckets if name == "buckets" else 1
        start = time.perf_counter()
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=at("log-" + name), skip_completed=False).run()
        seconds[name] = time.perf_counter() - start
    n_kept = sum(1 for name in os.listdir(at("kept")) for _ in open(os.path.join(at("kept"), name), "rb"))
    n_given = n_bytes = 0
    with open(options.file, "rb") as lines:
        for line in lines:
            n_given += 1
            n_bytes += len(json.loads(line)["text"].encode())
    shutil.rmtree(work)
    usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({
        "program": "datatrove",
        "documents": n_given,
        "megabytes": round(n_bytes / 1e6, 1),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "megabytes_per_s": round(n_bytes / 1e6 / sum(seconds.values()), 3),
        "dropped": n_given - n_kept,
        "peak_rss_bytes": max(usage) * 1024,
    }))


if __name__ == "__main__":
    main()
