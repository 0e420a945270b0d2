#!/usr/bin/env bash
# A program whose licence allows one run at a time: three jobs want it at once and take turns. Where a
# job is killed, the next one has the licence half a minute later.
set -euo pipefail
cd "$(dirname "$0")"

jobs=()
for n in 1 2 3; do
    prominence exec --job "solve-$n" -- \
        prominence kv lock /licence/solver --ttl 30s --wait 1h -- jobs/solve.sh "$n" &
    jobs+=($!)
done
for job in "${jobs[@]}"; do
    wait "$job"
done

prominence kv gather /solved/ --bare
