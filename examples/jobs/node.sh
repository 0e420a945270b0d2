#!/bin/sh
# One node, with nothing but curl.
set -eu
kv() { curl --silent --show-error --fail -H "Authorization: Bearer $PROMINENCE_TOKEN" "$@"; }

node=$1
if [ "$node" = 0 ]; then
    # A real node 0 would begin to listen here. The address goes with the job's token.
    kv -X POST -d "10.0.0.$$:5000" "$PROMINENCE_URL/kv/mpi/address?ttl=job" >/dev/null
    exit
fi
# Held by the server until the key is there, for 10 minutes at most; then 404, and curl fails.
address=$(kv "$PROMINENCE_URL/kv/mpi/address?wait=10m")
echo "node $node joins $address"
