#!/usr/bin/env bash
# Shows how far jobs are, as they finish, and ends with the last of them.
set -euo pipefail
cd "$(dirname "$0")"

jobs=8
run="/finished/$(date +%s)-$$"
for n in $(seq "$jobs"); do
    prominence exec --job "step-$n" -- prominence kv set "$run/$n" --string ok &
done

# With the keys that are there already, so that it makes no difference who is faster.
exec 3< <(exec prominence kv watch "$run/" --existing)
watch=$!
for finished in $(seq "$jobs"); do
    read -r -u 3 _ _ key _
    echo "$finished of $jobs: step ${key##*/}"
done
kill "$watch"
wait
