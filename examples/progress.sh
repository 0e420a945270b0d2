#!/usr/bin/env bash
# Jobs that run side by side count themselves: an addition is atomic, so none is lost.
set -euo pipefail
cd "$(dirname "$0")"

prominence kv set /progress/total --string 20
prominence kv delete /progress/done
for n in $(seq 20); do
    prominence exec --job "worker-$n" -- jobs/count.sh &
done
wait
echo "$(prominence kv get /progress/done) of $(prominence kv get /progress/total) done"
