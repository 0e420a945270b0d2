#!/usr/bin/env bash
# A barrier: no job goes on before all of them have arrived.
set -euo pipefail
cd "$(dirname "$0")"

prominence kv delete --prefix /barrier/
for n in 1 2 3 4 5; do
    prominence exec --job "member-$n" -- jobs/member.sh "$n" 5 &
done
wait
