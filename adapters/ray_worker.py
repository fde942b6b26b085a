"""Prepares a corpus on a Ray cluster: a task a shard, then one join.

    penname worker --freeze plan.json --shards 256
    python adapters/ray_worker.py plan.json /shared/my-voice

The folder of the voice has to be at the same place on every node, and `penname` in its PATH.
"""

import json
import subprocess
import sys

TRY_AGAIN = 75


def shard(plan, project, number):
    """Makes one shard; running it twice does no harm."""
    command = ["penname", "worker", plan, "--project", project, "--shard", str(number), "--quiet"]
    code = subprocess.run(command).returncode
    if code not in (0, TRY_AGAIN):
        raise RuntimeError(f"shard {number}: exit code {code}")
    return code


def main(plan, project):
    import ray

    ray.init()
    task = ray.remote(num_cpus=1, max_retries=3, retry_exceptions=True)(shard)
    left = range(json.load(open(plan))["shards"])
    while left:  # a shard that another worker had is looked at again
        codes = ray.get([task.remote(plan, project, number) for number in left])
        left = [number for number, code in zip(left, codes) if code == TRY_AGAIN]
    subprocess.run(["penname", "worker", plan, "--project", project, "--join"], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
