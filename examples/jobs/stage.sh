#!/bin/sh
# One stage of a pipeline: OUTPUT INPUT COMMAND.
set -eu
prominence kv get --wait 10m "/pipeline/$2" | sh -c "$3" | prominence kv set "/pipeline/$1" --file -
