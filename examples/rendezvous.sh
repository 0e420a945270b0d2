#!/usr/bin/env bash
# Nodes of one MPI run find each other: node 0 says where it listens, the others wait until it has.
# They start in any order; nobody polls, and nobody waits longer than it takes.
set -euo pipefail
cd "$(dirname "$0")"

for node in 3 2 1 0; do
    prominence exec --job "node-$node" -- jobs/node.sh "$node" &
done
wait
