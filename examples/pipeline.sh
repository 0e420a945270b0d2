#!/usr/bin/env bash
# Jobs that depend on each other: each waits for what the one before it leaves behind. All are
# submitted at once; each works as soon as it can.
set -euo pipefail
cd "$(dirname "$0")"

prominence exec --job summarise -- jobs/stage.sh summary squares 'awk "{ sum += \$1 } END { print sum }"' &
prominence exec --job square -- jobs/stage.sh squares numbers 'awk "{ print \$1 * \$1 }"' &
prominence exec --job generate -- sh -c 'seq 10 | prominence kv set /pipeline/numbers --file -'
wait
prominence kv get /pipeline/summary
