#!/usr/bin/env bash
# A parameter sweep: every job reads its parameter from /sweep/input and writes its result to
# /sweep/output. Here the jobs run one after another on this machine; on a batch system each would
# be a job of its own, with PROMINENCE_URL and PROMINENCE_TOKEN in its environment.
set -euo pipefail
cd "$(dirname "$0")"

for n in 1 2 3 4 5; do
    prominence kv set "/sweep/input/$n" --string "$n"
done

for n in 1 2 3 4 5; do
    prominence exec --job "sweep-$n" -- jobs/square.sh "$n"
done

for key in $(prominence kv list /sweep/output/); do
    echo "${key##*/} $(prominence kv get "$key")"
done
