#!/bin/sh
# Asks for a value until it is there (exit status 1 means that the key does not exist), for at
# most a minute.
set -eu
tries=0
until message=$(prominence kv get /pass/message 2>/dev/null); do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || { echo "no message came" >&2; exit 1; }
    sleep 0.5
done
echo "the consumer got: $message"
