#!/usr/bin/env bash
# Prepares a corpus as a Slurm job array: a task a shard, then one join.
#
#   penname worker --freeze plan.json --shards 64
#   sbatch --array=0-63 adapters/slurm.sh plan.json /shared/my-voice
#   sbatch --dependency=afterok:JOB adapters/slurm.sh plan.json /shared/my-voice --join
#
# A task that is stopped before its time is up (SIGTERM) writes a checkpoint and is queued again.
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
set -u
plan=$1 project=$2
if [ "${3:-}" = --join ]; then
    exec penname worker "$plan" --project "$project" --join
fi
penname worker "$plan" --project "$project" --shard "$SLURM_ARRAY_TASK_ID" --quiet &
worker=$!
trap 'kill -TERM "$worker"' TERM
wait "$worker"
code=$?
# A signal ends the first wait; what the worker says counts.
[ "$code" -gt 128 ] && { wait "$worker"; code=$?; }
case $code in
    5 | 75) scontrol requeue "$SLURM_JOB_ID" ;;
    *) exit "$code" ;;
esac
