#!/bin/sh
# Prolog= of slurm.conf. Before a job begins on a node, root signs a token for it: one that opens the
# keys of the job's user, carries the job's id, and lies in a file that only that user can read. It
# is signed here, without asking the server. Where that fails, Slurm drains the node and queues the
# job again: a node without a readable secret fails every job that needs its keys.
set -eu
. "$(dirname "$0")/site.conf"
umask 077
mkdir -p "$TOKENS"
chmod 711 "$TOKENS"
token=$TOKENS/$SLURM_JOB_ID
prominence token create --secret-file "$SECRET_FILE" --for "$LIFETIME" \
    --user "$SLURM_JOB_USER" --job "$SLURM_JOB_ID" > "$token"
chown "$SLURM_JOB_UID:$SLURM_JOB_GID" "$token"
