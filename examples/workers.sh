#!/usr/bin/env bash
# A queue of work and whoever has time: two jobs, as on two machines, take pieces two at a time until
# none is left. Where a job is killed, another takes its pieces two minutes later.
set -euo pipefail
cd "$(dirname "$0")"

for n in 1 2 3 4 5 6 7; do
    prominence kv set "/queue/$n" --string "$n"
done

jobs=()
for machine in a b; do
    prominence exec --job "worker-$machine" -- \
        prominence kv claim /queue/ --for 2m --until-empty --workers 2 -- jobs/cube.sh &
    jobs+=($!)
done
for job in "${jobs[@]}"; do
    wait "$job"
done

prominence kv gather /cubes/ --bare
