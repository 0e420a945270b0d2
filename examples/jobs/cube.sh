#!/bin/sh
# One piece of work: reads a number from standard input and stores its cube. It may be done twice, if
# its claim is lost on the way, so it writes to a place of its own and writes the same again.
set -eu
n=$(cat)
prominence kv set "/cubes/${PROMINENCE_KEY##*/}" --string "{\"n\": $n, \"cube\": $((n * n * n))}"
