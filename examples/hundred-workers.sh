#!/usr/bin/env bash
# A sweep with 100 workers: a table of 300 rows becomes a queue, 100 workers side by side take its rows
# until none is left, and their results become one table. Here all workers run on this machine; on a
# batch system each job would run the line with `kv claim`, with as many workers as it has cores.
set -euo pipefail
cd "$(dirname "$0")"

# The rows n = 1 … 300 of the input; a site's own table would be a file. With --pad they are named 001 to
# 300, so that the results come in the order of the rows.
{ echo n; seq 300; } | prominence kv load /hundred/queue - --pad

prominence exec --job hundred -- \
    prominence kv claim /hundred/queue/ --for 2m --until-empty --workers 100 -- jobs/triangle.sh

prominence kv gather /hundred/output/ --bare
