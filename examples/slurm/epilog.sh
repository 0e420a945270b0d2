#!/bin/sh
# Epilog= of slurm.conf. When a job has left a node, its token does too. Keys that it set with --ttl job
# go when the token would have ended, LIFETIME after the job began.
set -eu
. "$(dirname "$0")/site.conf"
rm -f "$TOKENS/$SLURM_JOB_ID"
