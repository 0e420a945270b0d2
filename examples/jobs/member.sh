#!/bin/sh
# One job of several that wait for each other.
set -eu
name=$1
members=$2

echo "$name has arrived"
prominence kv set "/barrier/$name" --string "$name"
prominence kv wait /barrier/ --count "$members" --timeout 10m >/dev/null
echo "$name goes on"
