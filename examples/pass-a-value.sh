#!/usr/bin/env bash
# Two jobs that pass a value: the producer writes it, the consumer, which may start first, asks
# until it is there.
set -euo pipefail
cd "$(dirname "$0")"

prominence exec --job consumer -- jobs/consume.sh &
consumer=$!
prominence exec --job producer -- jobs/produce.sh
wait "$consumer"
