#!/usr/bin/env bash
# A queue of work and two jobs, as on two machines, that do its pieces two at a time until none is left.
# Where one job is killed, the other waits for its pieces and takes them two minutes later. A piece that
# fails three times, or kills its workers, is moved to /failed/.
set -euo pipefail
cd "$(dirname "$0")"

for n in 1 2 3 4 5 6 7; do
    prominence kv set "/queue/$n" --string "$n"
done

jobs=()
for machine in a b; do
    prominence exec --job "worker-$machine" -- \
        prominence kv claim /queue/ --for 2m --until-empty --workers 2 \
            --max-attempts 3 --dead-letter /failed/ -- jobs/cube.sh &
    jobs+=($!)
done
for job in "${jobs[@]}"; do
    wait "$job"
done

prominence kv gather /cubes/ --bare
