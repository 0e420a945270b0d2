#!/bin/sh
# One job of the sweep, with nothing but curl: reads a number, writes its square.
set -eu
kv() { curl --silent --show-error --fail -H "Authorization: Bearer $PROMINENCE_TOKEN" "$@"; }

n=$(kv "$PROMINENCE_URL/kv/sweep/input/$1")
kv -X POST -d "$((n * n))" "$PROMINENCE_URL/kv/sweep/output/$1" >/dev/null
