#!/bin/sh
# TaskProlog= of slurm.conf. It runs as the job's user, and Slurm takes what it prints into the task's
# environment, which no other user can read.
set -eu
. "$(dirname "$0")/site.conf"
echo "export PROMINENCE_URL=$PROMINENCE_URL"
echo "export PROMINENCE_TOKEN=$(cat "$TOKENS/$SLURM_JOB_ID")"
