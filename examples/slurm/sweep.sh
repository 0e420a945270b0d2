#!/usr/bin/env bash
#SBATCH --job-name=circles
#SBATCH --array=1-8
#SBATCH --ntasks=1
#SBATCH --time=5
#SBATCH --output=circles-%a.log
# One task of the array: reads the parameter of its number, computes, and writes a row.
set -euo pipefail
n=$SLURM_ARRAY_TASK_ID

# A token of this task's own, so that what it writes carries its id; it lasts about as long as the task may.
PROMINENCE_TOKEN=$(prominence token create --from-login --job "$SLURM_JOB_ID" --for "${LIFETIME:-10m}")
export PROMINENCE_TOKEN

# Where each task runs, for whoever looks on: gone when the job's token ends, whatever became of the job.
prominence kv set "/circles/running/$n" --string "$SLURMD_NODENAME" --ttl job

radius=$(prominence kv get "/circles/input/$n" --field radius)
# LC_ALL: in some languages awk would print a comma before the fraction.
area=$(LC_ALL=C awk -v r="$radius" 'BEGIN { printf "%.4f", atan2(0, -1) * r * r }')
prominence kv set "/circles/output/$n" --string "{\"n\":$n,\"radius\":$radius,\"area\":$area}"
