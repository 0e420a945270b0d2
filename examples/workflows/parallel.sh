#!/usr/bin/env bash
# 2,000 tasks under GNU parallel. Each stores its result and counts itself in one commit, with nothing but curl.
set -euo pipefail

task() {
    curl -sSf -H "Authorization: Bearer $PROMINENCE_TOKEN" -H 'Content-Type: application/json' "$PROMINENCE_URL/kv" \
        -d "{\"do\": [{\"set\": \"/parallel/out/$1\", \"value\": \"$(($1 * $1))\"}, {\"add\": \"/parallel/done\", \"by\": 1}]}" > /dev/null
}
export -f task

seq 2000 | parallel --will-cite --jobs 8 task
prominence kv wait /parallel/out/ --count 2000 --timeout 1m
echo "$(prominence kv get /parallel/done) done"
